"""What a contestant says to a question, whoever it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.ask.answer import Citation, Sentence, Usage
from app.ask.not_found import says_not_found
from app.ask.sentences import sentences


@dataclass(frozen=True)
class Outcome:
    """An answer and what it cost.

    `text` has no marks. `cites` is False for contestants that never cite. `status` is theirs, for
    reports; `read` are tokens of the documents that were looked at.
    """

    text: str
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    cites: bool = True
    dropped: int = 0
    status: str = ""
    standalone: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    read: int = 0
    trail: tuple[str, ...] = ()

    @property
    def not_found(self) -> bool:
        """Whether all that is said is that the documents do not say, or not where they were read so far."""
        return all(says_not_found(self.text[start:end]) for start, end in sentences(self.text))


class Contestant(Protocol):
    """One way of answering, with whatever it remembers of the documents that it was asked about."""

    def ask(self, question: str, files: Sequence[Path], previous: tuple[str, str] | None = None) -> Outcome:
        """The answer; `previous` are question and answer of the turn before."""
        ...
