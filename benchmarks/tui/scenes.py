"""Streaming, starting and quitting, as a reader would go through them."""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tui.measure import Load, Typist, load, percentile
from benchmarks.tui.report import Row
from benchmarks.tui.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]

SETTLED = 15.0  # seconds of streaming after which it should cost what it cost at first
WINDOW = 5.0  # seconds over which CPU and bytes are taken
LONG = 8000  # tokens at which it still should
STARTS = 5

# The first thing that is good for anything: the prompt, without the letter under the cursor.
OURS_READY = "sk something"
PEER_READY = "sk"


@dataclass(frozen=True)
class Programs:
    """How our chat and the peer are started; what they write goes into `folder`."""

    folder: Path
    rate: float

    @property
    def env(self) -> Mapping[str, str]:
        """Nothing of the user's own is touched."""
        names = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        return {name: str(self.folder / "home") for name in names} | {"HF_HUB_OFFLINE": "1"}

    def run(self, *command: str) -> Terminal:
        """A program on a terminal."""
        return Terminal([sys.executable, *command], env=self.env, cwd=ROOT)

    @contextmanager
    def ours(self, kind: str, ahead: int = 0, chats: Path | None = None) -> Iterator[Terminal]:
        """Our chat with prepared answers, its prompt ready; `ahead` tokens come without waiting."""
        file = chats or self.folder / f"{kind}-{ahead}-{time.monotonic_ns()}.sqlite"
        with self.run("-m", "benchmarks.tui.app", str(file), kind, str(self.rate), str(ahead)) as terminal:
            terminal.wait_for(OURS_READY)
            terminal.drain(1.0)
            yield terminal

    @contextmanager
    def peer(self, kind: str) -> Iterator[Terminal]:
        """The peer with prepared answers, its prompt ready."""
        with self.run("-m", "benchmarks.tui.stock", kind, str(self.rate)) as terminal:
            terminal.wait_for(PEER_READY)
            terminal.drain(1.0)
            yield terminal


def ask(terminal: Terminal) -> None:
    """Has the answer begin."""
    terminal.write("go")
    terminal.drain(0.3)
    terminal.write("\r")


def measure_stream(programs: Programs, kind: str, keys: int) -> list[Row]:
    """Key to screen, CPU and bytes while one kind of text is streamed."""
    _say(f"streaming {kind}")
    with programs.ours(kind) as terminal:
        ours, ours_load = _after_a_while(terminal, keys)
    with programs.peer(kind) as terminal:
        peer, peer_load = _after_a_while(terminal, keys)
    with programs.ours(kind, LONG) as terminal:
        ask(terminal)
        terminal.drain(WINDOW)
        long = Typist(terminal).key_to_screen(keys)
        long_load = load(terminal, terminal.process.pid, WINDOW)
    per_token = 1e3 / programs.rate
    at_length = f"{kind}, at {LONG:,} tokens"
    return [
        *_keys(f"key to screen, {kind}, after {SETTLED:.0f} s", ours, peer),
        *_keys(f"key to screen, {at_length}", long, None),
        Row(f"CPU per token, {kind}", "ms", per_token * ours_load.cpu, per_token * peer_load.cpu, 2.0),
        Row(f"CPU per token, {at_length}", "ms", per_token * long_load.cpu, None, 2.0),
        Row(
            f"written to the terminal, {kind}",
            "KB/s",
            ours_load.written / 1e3,
            peer_load.written / 1e3,
            60.0 if kind == "prose" else None,
        ),
    ]


def _after_a_while(terminal: Terminal, keys: int) -> tuple[list[float], Load]:
    ask(terminal)
    terminal.drain(SETTLED - WINDOW)
    cost = load(terminal, terminal.process.pid, WINDOW)
    return Typist(terminal).key_to_screen(keys), cost


def _keys(what: str, ours: list[float], peer: list[float] | None) -> list[Row]:
    return [
        Row(
            f"{what}, p{percent}",
            "ms",
            1e3 * percentile(ours, percent),
            1e3 * percentile(peer, percent) if peer else None,
            50.0 if percent == 95 else None,
        )
        for percent in (50, 95)
    ]


def measure_start(programs: Programs) -> list[Row]:
    """From the command to the first frame, and from ctrl+q in the middle of an answer to the shell."""
    _say("starting and quitting")
    command = ("-m", "app.chat.command", "-m", "tiny")
    ours = statistics.median(_first_frame(programs, OURS_READY, *command) for _ in range(STARTS))
    peer_command = ("-m", "benchmarks.tui.stock", "prose", "100")
    peer = statistics.median(_first_frame(programs, PEER_READY, *peer_command) for _ in range(STARTS))
    helped = statistics.median(_help(programs) for _ in range(STARTS))
    with programs.ours("prose") as terminal:
        ours_quit = _quit(terminal)
    with programs.peer("prose") as terminal:
        peer_quit = _quit(terminal)
    return [
        Row("first frame", "s", ours, peer, 0.6),
        Row("--help", "s", helped, None, 0.3),
        Row("quit while generating", "s", ours_quit, peer_quit, 0.5),
    ]


def _first_frame(programs: Programs, ready: str, *command: str) -> float:
    with programs.run(*command) as terminal:
        took = terminal.wait_for(ready)
        terminal.drain(1.0)
        return took


def _help(programs: Programs) -> float:
    with programs.run("-m", "app.chat.command", "--help") as terminal:
        terminal.wait()
        return time.perf_counter() - terminal.started


def _quit(terminal: Terminal) -> float:
    ask(terminal)
    terminal.drain(3.0)
    began = time.perf_counter()
    terminal.write(b"\x11")
    terminal.wait()
    return time.perf_counter() - began


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr)
