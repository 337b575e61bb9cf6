"""The level that reads everything: a scout scores every window, the likeliest first.

It can be ended at any time and then answers from the best windows so far. Each score is saved when it
is made, so a search that was killed goes on with the next window.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import ceil

from app.ask.answer import Citation
from app.ask.events import Read, Working
from app.ask.levels.attempts import Attempts
from app.ask.levels.finding import Finding, Happening
from app.ask.levels.scoring import Scored, Scorer
from app.ask.levels.work import Work
from app.ask.windows import Window

#: Windows that an answer is made from.
_TOP = 4

#: Windows that are tried where the scout says yes to none: scores rank, they do not decide.
_LAST_RESORT = 2

#: Share of the document that may bring nothing better before a supported answer ends the reading.
_STABLE = 0.1

#: Share of the document between two attempts at an answer, which cost as much as many windows.
_PATIENCE = 0.05

#: Share of the windows that are the best ones, of which there are no more than `_TOP`.
_BEST = 0.05


class Reader:
    """Reads for one question."""

    def __init__(self, work: Work, question: str) -> None:
        self._work, self._question = work, question
        self._scorer = Scorer(work, question)
        self._attempts = Attempts(work, question, self._scorer)
        self._top: list[tuple[float, int]] = []  # (score, window), best first
        self._done: set[int] = set()
        self._waiting = self._batches()
        self._first: list[Scored[Window]] = []
        self._replaying = False  # scores of an earlier search, which come in no helpful order
        self._begun = work.clock.now()
        self._computed_tokens = 0
        self._tokens_left = sum(window.tokens for window in work.windows)
        self._changed_at = 0  # windows done when one that says yes came in last
        self._tried_at = 0  # and when an answer was tried last

    def seconds(self) -> float | None:
        """How long reading everything and answering takes. Reads a little now where no speed is known."""
        work = self._work
        if work.speeds.reading(self._tokens_left) is None:
            self._first = next(self._waiting, [])
        reading = work.speeds.reading(self._tokens_left)
        answering = work.speeds.answering(work.evidence_tokens)
        return None if reading is None else reading + (answering or 0.0)

    def run(self) -> Generator[Happening, None, Finding]:
        """Reads until everything is read, the answer is stable, or the search is ended; then answers."""
        work = self._work
        if work.stopped():
            return Finding("read", complete=False)
        complete = True
        for batch in chain([self._first] if self._first else [], self._waiting):
            for one in batch:
                self._add(one)
                yield Read(one.span.file, one.span.start, one.span.end, one.score)
            if self._replaying:
                continue
            yield self._progress()
            if self._worth_trying() and not work.must_answer():
                self._tried_at = len(self._done)
                yield from self._attempts.try_windows(self._positive())
            if self._settled():
                break
            if len(self._done) < len(work.windows) and work.must_answer():
                complete = False
                break
        return (yield from self._conclude(complete))

    def best_hold(self, citations: Sequence[Citation]) -> bool:
        """Whether one of the best windows holds a citation: scores rank, whatever their sign."""
        best = [self._work.windows[at] for _, at in self._top[: ceil(_BEST * len(self._work.windows))]]
        return any(
            window.file == citation.file and window.start <= citation.start < window.end
            for window in best
            for citation in citations
        )

    # Reading.

    def _batches(self) -> Iterator[list[Scored[Window]]]:
        """Windows that were scored before, then the others."""
        windows = self._work.windows
        if self._scorer.begun():
            self._replaying = True
            stored = [at for at in range(len(windows)) if self._scorer.stored(windows[at]) is not None]
            yield from self._scorer.scored(windows[at] for at in stored)
            self._replaying = False
        yield from self._scorer.scored(windows[at] for at in self._order() if at not in self._done)

    def _order(self) -> list[int]:
        """The windows that a search finds, best first, then the rest in the order of the documents."""
        found = [self._work.window_of(chunk.file, chunk.start) for chunk in self._attempts.candidates]
        return list(dict.fromkeys([*found, *range(len(self._work.windows))]))

    def _add(self, one: Scored[Window]) -> None:
        at = self._work.window_of(one.span.file, one.span.start)
        self._done.add(at)
        self._work.windows_read.add(at)
        self._work.looked_at(one.span.file, one.span.start, one.span.end)
        self._tokens_left -= one.span.tokens
        if one.computed:
            self._computed_tokens += one.span.tokens
        ranked = sorted([*self._top, (one.score, at)], key=lambda pair: (-pair[0], pair[1]))[:_TOP]
        if ranked != self._top and one.score > 0:
            self._changed_at = len(self._done)
        self._top = ranked

    def _positive(self) -> list[int]:
        return [at for score, at in self._top if score > 0]

    def _progress(self) -> Working:
        work, best = self._work, ""
        if positive := self._positive():
            window = work.windows[positive[0]]
            best = work.where(window.file, window.start)
        return Working("reading", len(self._done), len(work.windows), "windows", self._left(), best)

    def _left(self) -> float | None:
        """Seconds to the end of the documents at the present rate, or to the limit."""
        elapsed = self._work.clock.now() - self._begun
        if not self._computed_tokens or elapsed <= 0:
            return None
        left = self._tokens_left * elapsed / self._computed_tokens
        return max(0.0, min(left, self._work.clock.left))

    # Ending.

    def _settled(self) -> bool:
        """Whether an answer is supported and a good part of the document has brought nothing better."""
        finding = self._attempts.finding
        if finding is None or not finding.supported:
            return False
        return len(self._done) - self._changed_at >= ceil(_STABLE * len(self._work.windows))

    # Answering.

    def _worth_trying(self) -> bool:
        """Whether the best windows have changed enough to try an answer from them."""
        positive, attempts = self._positive(), self._attempts
        if not positive or frozenset(positive) == attempts.windows:
            return False
        if attempts.finding is None:
            return True
        if attempts.finding.supported:
            return positive[0] != attempts.best
        return len(self._done) - self._tried_at >= _PATIENCE * len(self._work.windows)

    def _conclude(self, complete: bool) -> Generator[Happening, None, Finding]:
        """The answer from the best windows of all that was read."""
        best, attempts = self._positive(), self._attempts
        if best and frozenset(best) != attempts.windows:
            yield from attempts.try_windows(best)
        elif complete and not best and self._top:
            yield from attempts.try_windows([at for _, at in self._top[:_LAST_RESORT]])
            if attempts.finding and not attempts.finding.supported:
                attempts.finding = None  # neither the scout nor a quote speaks for it
        found = attempts.finding or Finding("read", not_found=True)
        return replace(found, complete=complete and not attempts.rushed)
