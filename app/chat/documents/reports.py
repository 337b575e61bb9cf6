"""What the librarian is asked for and what it reports; plain records between two threads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.chat.options import Setup

if TYPE_CHECKING:
    from app.ask.library import File

Severity = Literal["information", "warning", "error"]


# Requests.


@dataclass(frozen=True)
class Open:
    """Open what `name` means: a file, a folder with all below it, or a pattern such as docs/*.pdf."""

    job: int
    name: str


@dataclass(frozen=True)
class Reopen:
    """Open file `file` of the library, which was read from `path`, as it is now."""

    job: int
    file: int
    path: str
    name: str


@dataclass(frozen=True)
class Use:
    """Index for this model from now on; None for no model."""

    setup: Setup | None


@dataclass(frozen=True)
class Index:
    """Index a file for the model in use."""

    job: int
    file: "File"


@dataclass(frozen=True)
class Check:
    """Read those files again that have changed on disk."""

    files: "tuple[File, ...]"


@dataclass(frozen=True)
class Price:
    """What questions about these files would take."""

    files: tuple[int, ...]


Request = Open | Reopen | Use | Index | Check | Price


# Reports.


@dataclass(frozen=True)
class Working:
    """A stage of a job has done `done` of `total`; `left` is in seconds, None unknown."""

    job: int
    name: str
    stage: str
    done: int
    total: int
    left: float | None = None


@dataclass(frozen=True)
class Opened:
    """A file of a job is in the library, in place of the file `replaces` where it was stored before.

    `pages` are of the file's unit; `starts` is where they begin, in characters, empty for a text
    without pages.
    """

    job: int
    file: "File"
    pages: int
    starts: tuple[int, ...]
    replaces: int | None = None


@dataclass(frozen=True)
class Indexed:
    """A file is ready for questions: it has so many tokens."""

    file: int
    tokens: int


@dataclass(frozen=True)
class Refused:
    """What could not be opened, and why, in one line."""

    job: int
    name: str
    line: str


@dataclass(frozen=True)
class Ended:
    """Nothing more comes of a job."""

    job: int


@dataclass(frozen=True)
class Priced:
    """`line` is for people, "" where nothing is known."""

    files: tuple[int, ...]
    line: str


@dataclass(frozen=True)
class Checked:
    """The files have been compared with what is on disk."""


@dataclass(frozen=True)
class Said:
    """One line that people should read."""

    text: str
    severity: Severity = "information"


Report = Working | Opened | Indexed | Refused | Ended | Priced | Checked | Said
