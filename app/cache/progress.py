"""How far a check of files has come, on a terminal only."""

import sys
import time
from types import TracebackType

from qwen2_mlx.prefix_store.settings import size_text

_SECONDS_BETWEEN = 0.2


class Progress:
    """One line on stderr with bytes done, bytes in all and an estimate of the time left."""

    def __init__(self, program: str, total: int):
        self._program, self._total = program, total
        self._done, self._width = 0, 0
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def add(self, size: int) -> None:
        """Notes that so many more bytes are done."""
        self._done += size
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN or not sys.stderr.isatty():
            return
        self._shown = now
        left = (now - self._started) * (self._total - self._done) / self._done
        line = f"{self._program}: {size_text(self._done)} of {size_text(self._total)}, {left:.0f} s left"
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = max(self._width, len(line))
