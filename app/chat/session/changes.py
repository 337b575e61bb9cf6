"""What changed in the chat, for whoever draws it; see `Session`."""

from dataclasses import dataclass
from typing import Literal

from app.chat.store.records import Chat, Citation, Message, Reading


@dataclass(frozen=True)
class PathChanged:
    """Another chat or branch is shown, or messages left it; `at` is the message to show, None the end."""

    at: int | None = None


@dataclass(frozen=True)
class MessageAdded:
    """A message stands at the end of the path."""

    message: Message


@dataclass(frozen=True)
class TextAdded:
    """The answer that is being written goes on."""

    message: int
    text: str


@dataclass(frozen=True)
class MessageChanged:
    """The text, state or citations of a message are now these."""

    message: Message


@dataclass(frozen=True)
class Progress:
    """Something takes time: `stage` in a word or two, `done` of `total` (0: unknown), `left` seconds."""

    stage: str
    done: int = 0
    total: int = 0
    left: float | None = None


@dataclass(frozen=True)
class Idle:
    """Nothing is being written, read or loaded any more."""


@dataclass(frozen=True)
class ModelChanged:
    """See `Session.model`."""


@dataclass(frozen=True)
class StatsChanged:
    """See `Session.stats` and `Session.memory`."""


@dataclass(frozen=True)
class ChatChanged:
    """The title, options or draft of the open chat are now these."""

    chat: Chat


@dataclass(frozen=True)
class ChatsChanged:
    """The list of chats is no longer what it was."""


@dataclass(frozen=True)
class DocumentsChanged:
    """Documents of the chat were attached, opened, refused or detached; see `Session.documents`."""


@dataclass(frozen=True)
class WindowsRead:
    """Parts of documents were read for the answer `message`; all of its parts where `fresh`."""

    message: int
    readings: tuple[Reading, ...]
    fresh: bool = False


@dataclass(frozen=True)
class CitationsChanged:
    """The answer `message` rests on these now; `best_so_far` while a better one is looked for."""

    message: int
    citations: tuple[Citation, ...]
    best_so_far: bool


@dataclass(frozen=True)
class Notice:
    """One line that people should read."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


Change = (
    PathChanged
    | MessageAdded
    | TextAdded
    | MessageChanged
    | Progress
    | Idle
    | ModelChanged
    | StatsChanged
    | ChatChanged
    | ChatsChanged
    | DocumentsChanged
    | WindowsRead
    | CitationsChanged
    | Notice
)
