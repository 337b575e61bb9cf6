"""Conversions in processes of their own that are killed at some moment.

One process imports everything once and forks for each conversion, so that a kill costs
milliseconds. It must not compute with MLX itself: a fork takes no threads along.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Reads commands (source, target, seconds to live or nothing, with tabs between them), forks, tells
#: the child's exit code.
_SERVER = """
import os, signal, sys, time
from pathlib import Path
from convert import stream, unit
from tests.convert.conversions import FOUR_BITS, convert_folder
unit.CHUNK_BYTES = 2048  # so that there are many moments to be killed at
stream.SYNC_SECONDS = 0.0
for line in sys.stdin:
    source, target, seconds = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        os.close(0)
        code = 1
        try:
            convert_folder(Path(source), Path(target), FOUR_BITS)
            code = 0
        finally:
            os._exit(code)
    if seconds:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Converter:
    """Starts conversions and ends them."""

    def __init__(self, server: "subprocess.Popen[str]"):
        assert server.stdin
        assert server.stdout
        self._input, self._output = server.stdin, server.stdout

    def run(self, source: Path, target: Path, seconds: float | None = None) -> bool:
        """Whether the conversion came to its end before it was killed after `seconds`."""
        self.start(source, target, seconds)
        code = self.code()
        assert code in (0, -signal.SIGKILL), code
        return code == 0

    def start(self, source: Path, target: Path, seconds: float | None = None) -> None:
        self._input.write(f"{source}\t{target}\t{'' if seconds is None else seconds}\n")
        self._input.flush()

    def code(self) -> int:
        """The exit code of the conversion that was started."""
        return int(self._output.readline())


@contextmanager
def converter() -> Iterator[Converter]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Converter(server)
