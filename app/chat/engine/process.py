"""One process that runs the engine: started, written to, read from, and ended."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import app
from app.chat.engine.frames import FrameWriter, read_frame
from app.chat.engine.messages import Command, Event
from app.chat.engine.problems import says_out_of_memory
from app.cli import clean

MODULE = "app.chat.engine.child"

#: Imports the module as this process would. The package's folder comes last, and -P keeps the current folder
#: out: a chat may be opened in a folder of strangers' files.
_START = """\
import importlib, sys
sys.path.append(sys.argv[1])
importlib.import_module(sys.argv[2]).main(sys.argv[3:])
"""

#: Bytes at the end of what a process printed that are looked at for a reason.
_LAST_WORDS = 4096


class Process:
    """`heard` is called with each event, `ended` once, with a reason, both on the thread that reads."""

    def __init__(
        self,
        module: str,
        heard: Callable[[Event], None],
        ended: Callable[["Process", str], None],
    ) -> None:
        self._heard, self._ended = heard, ended
        commands_in, commands_out = os.pipe()
        events_in, events_out = os.pipe()
        self._printed: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        root = str(Path(app.__file__ or "").parents[1])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, root, module, str(commands_in), str(events_out)],
                pass_fds=(commands_in, events_out),
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            )
        finally:
            os.close(commands_in)
            os.close(events_out)
        self._commands = os.fdopen(commands_out, "wb")
        self._writer = FrameWriter(self._commands)
        self._reader = threading.Thread(
            target=self._read, args=(os.fdopen(events_in, "rb"),), name="engine-reader", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: Command) -> None:
        """Writes a command; one that nobody reads any more is lost, and the reader says so.

        Raises what `pickle` does for a command that is not made of plain values.
        """
        with contextlib.suppress(OSError, ValueError):  # a pipe without a reader, or closed
            self._writer.write(command)

    def hang_up(self) -> None:
        """Ends the commands, upon which the process ends itself."""
        with contextlib.suppress(OSError):
            self._commands.close()

    def end(self, timeout: float) -> None:
        """Waits `timeout` seconds for the process to end, and kills it when it does not."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()  # reads what is left

    def _read(self, events: BinaryIO) -> None:
        with events:
            while True:
                try:
                    event: Any = read_frame(events)
                except (EOFError, OSError):
                    break
                self._heard(event)
        code = self._process.wait()
        self.hang_up()
        with self._printed as printed:
            self._ended(self, reason(code, _last_words(printed)))


def _last_words(printed: BinaryIO) -> str:
    printed.seek(max(0, printed.seek(0, os.SEEK_END) - _LAST_WORDS))
    return clean(printed.read().decode(errors="replace")).strip()


def reason(code: int, printed: str) -> str:
    """Why a process with this exit code is gone, from what it printed last; in one line."""
    if code >= 0:
        last = printed.splitlines()[-1:] or [f"exit code {code}"]
        return f"the engine ended ({last[0].strip()}); load the model again"
    name = _signal_name(-code)
    if code == -signal.SIGKILL:
        return f"the engine was killed ({name}), probably out of memory; load a smaller context"
    if says_out_of_memory(printed):
        return f"the engine ran out of memory ({name}); load a smaller context"
    return f"the engine crashed ({name}); load the model again"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
