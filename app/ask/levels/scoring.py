"""How relevant pieces of the documents are, asked once for each text and question.

A score is saved after every call of the scout under the hash of who scored, the question and the text,
so that a search that was killed goes on where it was, and an edited document is read only where it
changed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.ask.levels.material import Span
from app.ask.levels.work import Work
from app.ask.passage import Passage

#: Pieces whose texts are in memory at once, and the most that one call is given.
_AHEAD = 16

S = TypeVar("S", bound=Span)


@dataclass(frozen=True, slots=True)
class Scored(Generic[S]):
    """A piece with its score; `computed` now, not stored before."""

    span: S
    score: float
    computed: bool


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[S]):
    span: S
    passage: Passage
    key: str


class Scorer:
    """Scores for one question."""

    def __init__(self, work: Work, question: str) -> None:
        self._work, self._question = work, question
        self._asked = hashlib.sha256(f"{work.roles.scout_id}\0{question}\0".encode())
        self._new: set[str] = set()  # keys scored for this question, which `fresh` may use

    def key(self, text: str) -> str:
        """What the score of a text is saved under."""
        asked = self._asked.copy()
        asked.update(text.encode("utf-8", "surrogatepass"))
        return asked.hexdigest()

    def begun(self) -> bool:
        """Whether a search has scored any piece for this question before."""
        return not self._work.options.fresh and self._work.library.score(self._marker) is not None

    def stored(self, span: Span) -> float | None:
        """The score of a piece that needs no model."""
        return self._known(self.key(self._work.passage(span).text))

    def scored(self, spans: Iterable[S], rough: bool = False) -> Iterator[list[Scored[S]]]:
        """Scores in the order of `spans`, a few at a time: asking for the next ones makes one call at most.

        `rough`: the pieces are shorter than windows, and say little about how fast windows are read.
        """
        waiting: list[_Waiting[S]] = []
        for span in spans:
            passage = self._work.passage(span)
            key = self.key(passage.text)
            if (score := self._known(key)) is not None:
                yield [Scored(span, score, False)]
                continue
            waiting.append(_Waiting(span, passage, key))
            if len(waiting) == _AHEAD:
                yield self._call(waiting, rough)
        while waiting:
            yield self._call(waiting, rough)

    def _known(self, key: str) -> float | None:
        if self._work.options.fresh and key not in self._new:
            return None
        return self._work.library.score(key)

    def _call(self, waiting: list[_Waiting[S]], rough: bool) -> list[Scored[S]]:
        """Scores the first of the waiting pieces in one call, saves the scores, and takes them off."""
        work = self._work
        rows = work.roles.relevance_rows([one.passage for one in waiting])
        batch = waiting[: max(1, rows)]
        before, begun = work.roles.usage, work.clock.now()
        with work.clock.stage("reading"):
            scores = work.roles.relevance(self._question, [one.passage for one in batch])
            saved = {one.key: score for one, score in zip(batch, scores, strict=True)}
            work.library.save_scores({**saved, self._marker: 0.0})
        self._new.update(saved)
        if work.roles.usage.reused == before.reused:  # what was stored says nothing about speed
            measured = work.speeds.measured_roughly if rough else work.speeds.measured_reading
            measured(sum(one.span.tokens for one in batch), work.clock.now() - begun)
        del waiting[: len(batch)]
        for one in batch:
            work.looked_at(one.span.file, one.span.start, one.span.end)
        return [Scored(one.span, score, True) for one, score in zip(batch, scores, strict=True)]

    @property
    def _marker(self) -> str:
        return self.key("\0begun")
