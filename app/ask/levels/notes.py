"""Notes of every window, taken once for each text and question."""

import hashlib
from collections.abc import Iterator
from itertools import islice

from app.ask.events import Working
from app.ask.levels.search_plan import CANDIDATES, candidates, own_plan
from app.ask.levels.work import Work
from app.ask.library import Range
from app.ask.windows import Window


class Notes:
    """Takes notes for one question; where the search is ended, what there is stands in `spans`."""

    def __init__(self, work: Work, question: str) -> None:
        self._work, self._question = work, question
        self._asked = hashlib.sha256(f"{work.roles.scout_id}\0notes\0{question}\0".encode())
        self._found: set[Range] = set()
        self._waiting = iter(self._order())
        self._new_tokens, self._new_seconds = 0, 0.0
        self._tokens_left = sum(window.tokens for window in work.windows)
        self.left = len(work.windows)

    def seconds(self) -> float | None:
        """How long the notes will take. Takes those of one window now where no speed is known."""
        if self._work.speeds.noting(self._tokens_left) is None:
            for _ in islice(self.take(), 1):
                pass
        return self._work.speeds.noting(self._tokens_left)

    def take(self) -> Iterator[Working]:
        """Goes through the windows, those first that a search finds; one step is one window."""
        work = self._work
        for at in self._waiting:
            window = work.windows[at]
            self._take(window)
            work.windows_read.add(at)
            work.looked_at(window.file, window.start, window.end)
            self.left -= 1
            self._tokens_left -= window.tokens
            done = len(work.windows) - self.left
            best = f"{len(self._found)} found" if self._found else ""
            yield Working("taking notes", done, len(work.windows), "windows", self._seconds(), best)

    def spans(self) -> list[Range]:
        """The notes in the order of the documents, those that overlap once: windows do."""
        spans: list[Range] = []
        for span in sorted(self._found, key=lambda span: (*self._work.position(*span[:2]), span[2])):
            if spans and spans[-1][0] == span[0] and span[1] < spans[-1][2]:
                spans[-1] = (span[0], spans[-1][1], max(span[2], spans[-1][2]))
            else:
                spans.append(span)
        return spans

    def _order(self) -> list[int]:
        plan = own_plan(self._work, self._question)
        hits = candidates(self._work, plan.terms, 4 * CANDIDATES)
        found = [self._work.window_of(chunk.file, chunk.start) for chunk in hits]
        return list(dict.fromkeys([*found, *range(len(self._work.windows))]))

    def _take(self, window: Window) -> None:
        """Adds the notes of one window, stored relative to its start: equal texts have equal notes."""
        work = self._work
        passage = work.passage(window)
        asked = self._asked.copy()
        asked.update(passage.text.encode("utf-8", "surrogatepass"))
        key = asked.hexdigest()
        spans = None if work.options.fresh else work.library.notes(key)
        if spans is None:
            begun = work.clock.now()
            with work.clock.stage("notes"):
                notes = work.roles.notes(self._question, passage)
                spans = [(0, note.start - window.start, note.end - window.start) for note in notes]
                work.library.save_notes(key, spans)
            self._measured(window.tokens, work.clock.now() - begun)
        self._found.update((window.file, window.start + start, window.start + end) for _, start, end in spans)

    def _measured(self, tokens: int, seconds: float) -> None:
        self._work.speeds.measured("notes", tokens, seconds)
        self._new_tokens += tokens
        self._new_seconds += seconds

    def _seconds(self) -> float | None:
        """To the end of the documents at the present rate, or to the limit."""
        if not self._new_tokens:
            return None
        left = self._tokens_left * self._new_seconds / self._new_tokens
        return max(0.0, min(left, self._work.clock.left))
