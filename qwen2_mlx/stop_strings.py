"""Ending an answer at a given text, without showing any part of that text."""

from collections.abc import Sequence


class StopStrings:
    """Passes text through until one of `stops` appears; `found` then says so.

    Text that could be the beginning of a stop string is held back until it is decided.
    """

    def __init__(self, stops: Sequence[str]):
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.found = False

    def add(self, text: str) -> str:
        """The part of all text so far that may be shown now; nothing after a stop string."""
        if self.found:
            return ""
        self._held += text
        hits = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if hits:
            self.found = True
            _, start = min(hits)  # the first to be complete, however the text arrived in pieces
            shown, self._held = self._held[:start], ""
            return shown
        cut = len(self._held) - self._undecided()
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """The text held back at the end, which turned out not to be a stop string."""
        shown, self._held = self._held, ""
        return shown

    def _undecided(self) -> int:
        """Length of the longest ending that a stop string begins with."""
        lengths = (
            length
            for stop in self._stops
            for length in range(min(len(stop) - 1, len(self._held)), 0, -1)
            if self._held.endswith(stop[:length])
        )
        return max(lengths, default=0)
