"""How far the reading of a long document has come, on a terminal only."""

import sys
import time

#: Shorter documents are read before anybody could read about it.
_LEAST_TOKENS = 2048


class Reading:
    """Called with the tokens done and all there are; shows them with an estimate of the time left."""

    def __init__(self, program: str):
        self._program = program
        self._first: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        if not sys.stderr.isatty() or total <= _LEAST_TOKENS:
            return
        now = time.monotonic()
        started, before = self._first = self._first or (now, done)
        line = f"{self._program}: read {done:,} of {total:,} tokens"
        if before < done < total:
            line += f", {(now - started) * (total - done) / (done - before):.0f} s left"
        end = "\n" if done == total else "\r"
        print(line.ljust(len(line) + 12), end=end, file=sys.stderr, flush=True)
