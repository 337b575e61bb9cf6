"""What the store keeps, as its users see it. Times are seconds since 1970."""

from dataclasses import dataclass
from typing import Any, Literal

from app.chat.options import Options

Role = Literal["user", "assistant"]

#: "streaming" is being written by a living process; "stopped" by the reader; "length" reached its longest
#: length; "interrupted" was cut by the death of the program and recovered from the journal.
State = Literal["complete", "streaming", "stopped", "length", "error", "interrupted"]


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation. `head` is the last message of the branch it stands on, None while it is empty."""

    id: int
    title: str
    named: bool
    options: Options
    head: int | None
    draft: str
    folder: str
    pinned: bool
    archived: bool
    deleted: float | None
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class Stub:
    """One message of a branch without its text, so that a branch of 10,000 is listed at once.

    `sibling` counts from 1 to `siblings` among the messages with the same parent.
    """

    id: int
    role: Role
    state: State
    characters: int
    sibling: int
    siblings: int


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer came about. `sampling` as it was asked for; rates in tokens per second."""

    model: str
    fingerprint: str = ""
    rope: str = ""
    sampling: dict[str, Any] | None = None
    seed: int | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    output_tokens: int = 0
    time_to_first_token: float = 0.0
    prompt_tps: float = 0.0
    output_tps: float = 0.0
    peak_memory: int = 0
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A located quote under an answer. `file` is the id in the document library, which may be gone."""

    number: int
    file: int
    sha256: str
    name: str
    place: str
    start: int
    end: int
    quote: str
    match: Literal["exact", "fuzzy"]
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters `start` to `end` of a file were read for an answer; a higher score is more relevant."""

    file: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `error` is the one-line reason of the state "error", else "".

    `document` is what an answer from documents adds ({"status", "mode", "standalone", "coverage",
    "dropped", ...}), else None.
    """

    id: int
    chat: int
    parent: int | None
    depth: int
    role: Role
    content: str
    state: State
    error: str
    edited_from: int | None
    created: float
    finished: float | None
    deleted: float | None
    sibling: int
    siblings: int
    generation: Generation | None = None
    document: dict[str, Any] | None = None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document of a chat. `file` is its id in the document library when it was attached."""

    file: int
    sha256: str
    name: str
    path: str
    attached: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A message, or the title of a chat (`message` None), in which a search found its words.

    `snippet` is the text around the words, with those marked by U+E000 before and U+E001 after.
    """

    chat: int
    message: int | None
    title: str
    role: Role | None
    snippet: str
    created: float


@dataclass(frozen=True, slots=True)
class Preset:
    """Named options of chats."""

    id: int
    name: str
    options: Options


@dataclass(frozen=True, slots=True)
class Template:
    """A text to begin a prompt with, called by /slug."""

    slug: str
    title: str
    body: str
