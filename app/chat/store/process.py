"""Which process this is, and whether another one still lives: a number alone is given again."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path


def this_process() -> str:
    """The process as messages record it: its id and when it began, like "4711:8d1e0c2b-99120"."""
    return _named(os.getpid())


def is_alive(process: str) -> bool:
    """Whether the process still runs. When its beginning cannot be told, its id alone decides."""
    number, _, began = process.partition(":")
    if not number.isdecimal() or not 0 < int(number) < 2**31:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, and belongs to somebody else
    now = _beginning(int(number))
    return not began or not now or began == now


@lru_cache(4)
def _named(pid: int) -> str:
    return f"{pid}:{_beginning(pid)}"


def _beginning(pid: int) -> str:
    """When a process began, "" where nothing tells: ticks since the system's start, or a date."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return "ended" if fields[0] in (b"Z", b"X") else f"{boot}-{int(fields[19])}"
    except (OSError, ValueError, IndexError):
        return _beginning_by_ps(pid)


def _beginning_by_ps(pid: int) -> str:
    try:
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            env={"PATH": "/bin:/usr/bin", "LC_ALL": "C", "TZ": "UTC0"},
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return "-".join(told.stdout.decode("ascii", "replace").split())
