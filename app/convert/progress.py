"""How far a conversion is: bytes, their rate, and an estimate of the time left."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from qwen2_mlx.memory.limit import size_text

#: Seconds between two updates on a terminal, and between two lines elsewhere.
_ON_TERMINAL = 0.2
_ELSEWHERE = 10.0

#: A rate is not told before so many seconds.
_SETTLED = 1.0


class Progress:
    """One line on stderr: rewritten on a terminal, elsewhere a new one now and then.

    Nothing is shown of a conversion that takes less time than stands between two lines.
    """

    def __init__(
        self,
        program: str,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`total` is in bytes, those included that an earlier run wrote."""
        self._program, self._total = program, total
        self._stream, self._clock = stream or sys.stderr, clock
        self._every = _ON_TERMINAL if self._stream.isatty() else _ELSEWHERE
        self._found = self._done = self._width = 0
        self._began = self._shown = clock()

    def found(self, size: int) -> None:
        """So many more bytes of an earlier run were found in order."""
        self._found += size
        self._began = self._clock()  # the rate is that of writing
        self._show()

    def done(self, size: int) -> None:
        """So many more bytes are written."""
        self._done += size
        self._show()

    def say(self, message: str) -> None:
        """A line that stays."""
        self.clear()
        print(f"{self._program}: {message}", file=self._stream)

    def clear(self) -> None:
        """Leaves the terminal's line free."""
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=self._stream, flush=True)
            self._width = 0

    def _show(self) -> None:
        now = self._clock()
        if now - self._shown < self._every:
            return
        self._shown = now
        line = f"{self._program}: {self._text(now - self._began)}"
        if self._stream.isatty():
            print("\r" + line.ljust(self._width), end="", file=self._stream, flush=True)
            self._width = max(self._width, len(line))
        else:
            print(line, file=self._stream, flush=True)

    def _text(self, seconds: float) -> str:
        ready = self._found + self._done
        text = f"{size_text(ready)} of {size_text(self._total)}"
        if not self._done:
            return f"{text} are there already"
        if seconds < _SETTLED:
            return text
        rate = self._done / seconds
        return f"{text}, {size_text(rate)}/s, {_duration((self._total - ready) / rate)} left"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
