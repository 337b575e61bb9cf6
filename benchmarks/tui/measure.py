"""What a reader would feel, taken from a program on a pseudo-terminal.

Key to screen: a character that was not on the screen before is typed, and the time until it comes back
from the program is taken. All times in seconds, sizes in bytes.
"""

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tui.terminal import Terminal

#: Chinese characters: each a single key for a terminal, and none is on the screen already.
FIRST_CHARACTER = 0x4E00
GAP = 0.2  # between two keys, give or take a third: a fast typist's
LINE = 15  # characters, then the line is emptied
EMPTY_LINE = b"\x15"
LOST = 5.0  # a key that takes longer counts as this long


@dataclass(frozen=True)
class Load:
    """What a running program costs: seconds of CPU and bytes to the terminal, each per second."""

    cpu: float
    written: float


class Typist:
    """Types characters that were never typed before."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._next = FIRST_CHARACTER
        self._chance = random.Random(1)

    def key_to_screen(self, keys: int) -> list[float]:
        """The delay of each of `keys` characters."""
        return [self._one() for _ in range(keys)]

    def _one(self) -> float:
        terminal = self._terminal
        if (self._next - FIRST_CHARACTER) % LINE == 0:
            terminal.write(EMPTY_LINE)
        terminal.drain(GAP * self._chance.uniform(0.67, 1.33))
        character = chr(self._next)
        self._next += 1
        since, began = len(terminal.output), time.perf_counter()
        terminal.write(character)
        try:
            terminal.wait_for(character, LOST, since)
        except TimeoutError:
            return LOST
        return time.perf_counter() - began


def load(terminal: Terminal, pid: int, seconds: float) -> Load:
    """What the process costs while nobody types."""
    terminal.drain(0.2)
    written, cpu, began = len(terminal.output), cpu_seconds(pid), time.perf_counter()
    terminal.drain(seconds)
    took = time.perf_counter() - began
    return Load((cpu_seconds(pid) - cpu) / took, (len(terminal.output) - written) / took)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has taken, all of its threads."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        import os

        fields = stat.read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    hours, minutes, seconds = f"0:{_ps(pid, 'time')}".split(":")[-3:]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use."""
    return int(_ps(pid, "rss")) * 1024


def _ps(pid: int, what: str) -> str:
    command = ["ps", "-o", f"{what}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]
