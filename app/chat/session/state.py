"""What the parts of a session share: what is open, what is loaded, and whom to tell."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.chat.engine import Engine
from app.chat.engine.messages import Memory, ModelInfo, Stats
from app.chat.options import Options, Setup
from app.chat.session.changes import Change, Notice
from app.chat.store import Store
from app.chat.store.records import Chat, Stub


@dataclass
class State:
    """`store` is that of the open chat: of one that cannot be saved it is another than the reader's.

    `options` are those of a chat that begins; `chat` is None until the first thing of it is stored.
    `loading` is the setup that is wanted but not open yet.
    """

    store: Store
    engine: Engine
    options: Options
    tell: Callable[[Change], None]
    chat: Chat | None = None
    path: list[Stub] = field(default_factory=list)
    model: ModelInfo | None = None
    loading: Setup | None = None
    stats: Stats | None = None
    memory: Memory | None = None

    @property
    def chat_options(self) -> Options:
        """How the open chat answers."""
        return self.chat.options if self.chat else self.options

    def refresh(self) -> None:
        """Reads the open chat and its branch again, as they are stored now."""
        if self.chat is not None:
            self.chat = self.store.chat(self.chat.id)
            self.path = self.store.path(self.chat.id)
        else:
            self.path = []

    def shows(self, message: int) -> bool:
        """Whether a message is on the branch that is open; the newest is looked for first."""
        return any(stub.id == message for stub in reversed(self.path))

    def refuse(self, why: str) -> bool:
        """Says why something is not done; returns False, which callers pass on."""
        self.tell(Notice(why, "warning"))
        return False
