"""Questions of the evaluation: what is asked, what a right answer holds, and where it stands."""

from dataclasses import dataclass

from app.eval.chronicle import Fact


@dataclass(frozen=True)
class Statement:
    """A sentence put into a document, `depth` percent from its start.

    `fact` is what it says; None where it says nothing that anybody asks for.
    """

    sentence: str
    depth: float
    fact: Fact | None = None


@dataclass(frozen=True)
class Question:
    """One question and its right answer.

    A right answer holds all strings of one of `expected`, and none of `forbidden`; where `expected` is
    empty the answer is that the document does not say. `facts` are the statements it rests on, `others`
    stand in the document beside them. `earlier` is the question of the turn before, which this one
    leans on.
    """

    task: str
    text: str
    expected: tuple[tuple[str, ...], ...]
    facts: tuple[Statement, ...] = ()
    others: tuple[Statement, ...] = ()
    forbidden: tuple[str, ...] = ()
    earlier: str | None = None
    depth: float | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Everything that is put into the document; of what shares a depth, the facts stand in the middle."""
        half = len(self.others) // 2
        return self.others[:half] + self.facts + self.others[half:]
