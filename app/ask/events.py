"""What happens while a question is being answered, for whoever shows it: a terminal, a chat, a test."""

from dataclasses import dataclass

from app.ask.answer import Answer, Hop


@dataclass(frozen=True)
class Working:
    """A stage has done `done` of `total` (windows, chunks, tokens: `unit`); `left` is seconds, None unknown.

    `best` describes the best find so far in a few words ("letters.txt, page 318"), else "".
    """

    stage: str
    done: int
    total: int
    unit: str
    left: float | None = None
    best: str = ""


@dataclass(frozen=True)
class Read:
    """The reader has scored characters `start` to `end` of file `file`: a higher score is more relevant."""

    file: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Text:
    """A piece of the answer that is being generated; `Draft` or `Final` follow with all of it, checked."""

    text: str


@dataclass(frozen=True)
class Step:
    """A hop of reasoning is done."""

    number: int
    hop: Hop


@dataclass(frozen=True)
class Escalation:
    """Another level begins because of `reason`; `seconds` is how long it will take, None unknown."""

    mode: str
    reason: str
    seconds: float | None


@dataclass(frozen=True)
class Draft:
    """The best answer so far, checked; the search for a better one goes on."""

    answer: Answer


@dataclass(frozen=True)
class Final:
    """The last event of every question."""

    answer: Answer


Event = Working | Read | Text | Step | Escalation | Draft | Final
