"""The most memory that this process has held."""

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


def peak_memory() -> int:
    """Bytes of main memory at the worst moment since the program was started."""
    if _STATUS.exists():  # Linux counts what the parent held before the program began into ru_maxrss
        match = _PEAK.search(_STATUS.read_text())
        if match:
            return 1024 * int(match[1])
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
