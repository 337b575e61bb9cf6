"""Ctrl-C while a question is being answered: once for the best answer so far, twice to quit."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from app.ask.flags import PROGRAM

_MESSAGE = f"\n{PROGRAM}: stopping with what was found so far; Ctrl-C again quits\n"


class Stop:
    """Within `with`, the first Ctrl-C makes calls of this object true, the second raises KeyboardInterrupt.

    `quit` says that there was a second, should somebody have caught it. What ignores Ctrl-C, as a
    shell's background jobs do, goes on ignoring it.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._asked, self._quiet = False, quiet
        self.quit = False
        self._before: Any = None

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> "Stop":
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, _signal: int, _frame: FrameType | None) -> None:
        if self._asked:
            self.quit = True
            raise KeyboardInterrupt
        self._asked = True
        if not self._quiet:
            with suppress(OSError, ValueError):  # a stream without a descriptor
                # Not print: the interrupt may have come in the middle of one.
                os.write(sys.stderr.fileno(), _MESSAGE.encode())
