"""Answers from the best windows that were read."""

from collections.abc import Generator, Sequence
from functools import cached_property
from math import inf

from app.ask.events import Working
from app.ask.levels.answering import answer_from
from app.ask.levels.evidence import choose, parts_of, promising_first
from app.ask.levels.finding import Better, Finding, Happening, better
from app.ask.levels.scoring import Scored, Scorer
from app.ask.levels.search_plan import CANDIDATES, candidates, own_plan
from app.ask.levels.work import Work
from app.ask.library import Chunk


class Attempts:
    """Attempts at one question.

    `windows` are those of the last one, `best` the best of them and `finding` the best answer of all
    attempts. `rushed`: the last evidence was chosen without rating all there was.
    """

    def __init__(self, work: Work, question: str, scorer: Scorer) -> None:
        self._work, self._question, self._scorer = work, question, scorer
        self.windows: frozenset[int] = frozenset()
        self.best = -1
        self.finding: Finding | None = None
        self.rushed = False
        self._parts: list[tuple[int, int, int]] = []

    @cached_property
    def candidates(self) -> list[Chunk]:
        """What a search for the question's words finds, best first."""
        return candidates(self._work, own_plan(self._work, self._question).terms, 4 * CANDIDATES)

    def try_windows(self, best: Sequence[int]) -> Generator[Happening, None, None]:
        """Answers from these windows, the best first, unless that evidence was tried last."""
        work = self._work
        self.windows, self.best = frozenset(best), best[0]
        parts = parts_of(work, choose(work, (yield from self._best_chunks(best))))
        spans = [(part.file, part.start, part.end) for part in parts]
        if spans == self._parts:
            return
        self._parts = spans
        finding = yield from answer_from(work, self._question, parts, "read")
        self.finding = better(self.finding, finding)
        if self.finding is finding:
            yield Better(finding)

    def _best_chunks(self, best: Sequence[int]) -> Generator[Happening, None, list[Chunk]]:
        """The chunks of these windows, the most relevant first; windows exceed what an answer is given."""
        work = self._work
        windows = [work.windows[at] for at in best]
        held = [work.chunks_within(window.file, window.start, window.end) for window in windows]
        chunks = list({(chunk.file, chunk.start): chunk for within in held for chunk in within}.values())
        if sum(chunk.tokens for chunk in chunks) <= work.evidence_tokens:
            return chunks
        rated: list[Scored[Chunk]] = []
        if not work.must_answer():
            for batch in self._scorer.scored(chunks, rough=True):
                rated += batch
                if work.must_answer():
                    break
                yield Working("rating", len(rated), len(chunks), "passages")
        self.rushed = len(rated) < len(chunks)
        if not self.rushed:
            return promising_first(rated)
        scores = {(one.span.file, one.span.start): one.score for one in rated}
        found = {(chunk.file, chunk.start): -at for at, chunk in enumerate(self.candidates)}

        def worth(chunk: Chunk) -> tuple[float, float]:
            span = chunk.file, chunk.start
            return scores.get(span, -inf), found.get(span, -inf)

        return sorted(chunks, key=worth, reverse=True)
