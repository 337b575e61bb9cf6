"""A program on a pseudo-terminal: keys in, bytes out, and what the terminal was left in."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Modes of the terminal that a full-screen program switches on, and what they are when it is not running.
AT_REST = {1049: False, 1000: False, 1003: False, 1006: False, 1004: False, 2004: False, 25: True, 7: True}

_MODES = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_CAN_SYNC = b"\x1b[?2026$p"  # a question that terminals of today answer
_SYNC_YES = b"\x1b[?2026;2$y"


class Terminal:
    """Runs `command` on a terminal of `size` columns and rows. Use as a context: it ends what is left."""

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        columns, rows = size
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes_before = termios.tcgetattr(slave)
        self.output = bytearray()
        environment = {**os.environ, **(env or {}), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            environment.pop(name, None)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, **(env or {})},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self._slave = slave  # kept open: its modes are looked at after the program has gone

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for descriptor in (self.master, self._slave):
            os.close(descriptor)

    def write(self, keys: bytes | str) -> None:
        """Types."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def read(self, seconds: float) -> bytes:
        """What the program writes within `seconds`; returns with the first of it."""
        ready, _, _ = select.select([self.master], [], [], max(0.0, seconds))
        if not ready:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # nobody has the terminal open
            return b""
        self.output += data
        if _CAN_SYNC in data:
            self.write(_SYNC_YES)
        return data

    def drain(self, seconds: float) -> None:
        """Reads for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def wait_for(self, text: bytes | str, timeout: float = 30.0, since: int = 0) -> float:
        """Reads until `text` was written after the first `since` bytes; returns the seconds since the start.

        Raises TimeoutError, also when the program ends without having written it.
        """
        sought = text.encode() if isinstance(text, str) else text
        end = time.perf_counter() + timeout
        searched = since
        while True:
            if self.output.find(sought, max(since, searched - len(sought))) >= 0:
                return time.perf_counter() - self.started
            searched = len(self.output)
            left = end - time.perf_counter()
            ended = self.process.poll() is not None
            if not self.read(min(left, 0.1)) and (ended or left <= 0):
                raise TimeoutError(f"{sought!r} never came; last: {bytes(self.output[-2000:])!r}")

    def wait(self, timeout: float = 30.0) -> int:
        """Reads until the program has ended; returns its exit code. Raises TimeoutError."""
        end = time.perf_counter() + timeout
        while self.process.poll() is None:
            if time.perf_counter() > end:
                raise TimeoutError(f"still running; last: {bytes(self.output[-2000:])!r}")
            self.read(0.02)
        while self.read(0):
            pass
        return self.process.returncode

    @property
    def modes(self) -> dict[int, bool]:
        """Every mode that was set or reset, as it is now."""
        modes: dict[int, bool] = {}
        for numbers, action in _MODES.findall(bytes(self.output)):
            modes.update((int(number), action == b"h") for number in numbers.split(b";") if number)
        return modes

    @property
    def left_on(self) -> dict[int, bool]:
        """The modes that are not what they are at rest."""
        return {mode: on for mode, on in self.modes.items() if mode in AT_REST and on != AT_REST[mode]}

    @property
    def is_cooked(self) -> bool:
        """Whether lines and echo are what they were before the program ran."""
        return termios.tcgetattr(self._slave)[:4] == self.modes_before[:4]

    @property
    def children(self) -> list[int]:
        """The processes that the program started, in the order of their numbers."""
        return children_of(self.process.pid)


def children_of(process: int) -> list[int]:
    """The processes that a process started, in the order of their numbers."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return sorted(int(pid) for pid, parent in pairs if int(parent) == process)
