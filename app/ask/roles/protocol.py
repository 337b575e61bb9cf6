"""What the levels ask of models, as the levels see it. Tests script their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.ask.answer import Usage
from app.ask.passage import Passage

#: `lookup`: one fact; `hops`: one fact that needs another first; `global`: how many, a list, all of it.
Kind = Literal["lookup", "hops", "global"]

OnText = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much the models are given at once, in tokens: of a chunk and its overlap with the next, of all
    evidence of an answer, of a window that is read, and of a document that is taken whole."""

    chunk: int
    overlap: int
    evidence: int
    window: int
    whole: int


class Roles(Protocol):
    """The answering model and its scout, each reply one call.

    Text of people and documents is data: it is never parsed as control tokens and cannot close the
    fence around a document.
    """

    @property
    def sizes(self) -> Sizes: ...

    @property
    def usage(self) -> Usage:
        """Everything computed since the roles were opened."""
        ...

    @property
    def scout_id(self) -> str:
        """Identifies the scoring model and its prompt: equal ids give equal scores for equal text."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text."""
        ...

    def kind(self, question: str) -> Kind: ...

    def keywords(self, question: str) -> list[str]:
        """Words that a text which answers would hold; the question's own need not be among them."""
        ...

    def standalone(self, question: str, answer: str, follow_up: str) -> str: ...

    def first(self, question: str) -> str:
        """What must be found first; the question itself when it asks for one fact."""
        ...

    def resolve(self, finding: str, question: str) -> str:
        """The question after a finding has been put into it."""
        ...

    def answer(self, question: str, parts: Sequence[Passage], on_text: OnText | None = None) -> str:
        """The reply to numbered parts, its sentences ending in [n]; n counts from 1 and exists."""
        ...

    def answer_whole(self, question: str, document: Passage, on_text: OnText | None = None) -> str:
        """The reply to a whole document, without marks."""
        ...

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        """logit(yes) - logit(no) of "is the answer in this window?", one forward pass a window."""
        ...

    def relevance_rows(self, windows: Sequence[Passage]) -> int:
        """How many of these windows one call of `relevance` should be given."""
        ...

    def notes(self, question: str, window: Passage) -> list[Passage]:
        """The sentences of the window that belong to the answer, in order."""
        ...

    def quote(self, statement: str, part: Passage) -> Passage | None:
        """The sentence of the part that says `statement`; None where the model finds none."""
        ...
