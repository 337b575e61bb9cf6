"""A session with a scripted engine, and all that it told."""

from pathlib import Path
from typing import Any, TypeVar

from app.chat.options import Options
from app.chat.session.changes import Change, Notice
from app.chat.session.session import Session
from app.chat.store import Message, Store
from tests.app.chat.scripted import Answer, ScriptedEngine

Kind = TypeVar("Kind")


class Reader:
    """What a person at a screen would see of a session. `answers` are those of the engine."""

    def __init__(
        self,
        store: Store,
        *answers: Answer,
        options: Options | None = None,
        library: Path | None = None,
        silent: bool = False,
        start: bool = True,
        chat: int | None = None,
    ) -> None:
        self.told: list[Change] = []
        engines: list[ScriptedEngine] = []

        def make(on_event: Any) -> ScriptedEngine:
            engines.append(ScriptedEngine(*answers, on_event=on_event, silent=silent))
            return engines[0]

        self.session = Session(store, make, options or Options(), library)
        self.session.listener = self.told.append
        self.store, self.engine = store, engines[0]
        if start:
            self.session.start(chat)
            self.pump()

    def pump(self) -> None:
        self.session.pump()

    def ask(self, text: str = "Where is it?") -> bool:
        """Asks, and takes over what the engine says at once."""
        taken = self.session.send(text)
        self.pump()
        return taken

    def say(self, *pieces: str) -> None:
        self.engine.say(*pieces)
        self.pump()

    def finish(self) -> None:
        self.engine.finish()
        self.pump()

    @property
    def messages(self) -> list[Message]:
        """The open branch, as it is stored."""
        return [self.session.chat_store.message(stub.id) for stub in self.session.path]

    @property
    def texts(self) -> list[str]:
        return [message.content for message in self.messages]

    @property
    def last(self) -> Message:
        return self.messages[-1]

    def heard(self, kind: type[Kind]) -> list[Kind]:
        """The changes of one kind that were told."""
        return [change for change in self.told if isinstance(change, kind)]

    @property
    def notices(self) -> list[str]:
        return [notice.text for notice in self.heard(Notice)]
