"""The benchmark of the chat measures what it says; its timings are never tested."""

import sys
import threading
import time

import pytest

from app.chat.engine import Finished, Generate, Stop, Text
from benchmarks.tui.engine import StreamingEngine
from benchmarks.tui.measure import Typist, cpu_seconds, load, percentile, resident
from benchmarks.tui.report import Row, table
from benchmarks.tui.terminal import Terminal
from benchmarks.tui.text import KINDS, tokens


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_as_long_as_asked_and_always_the_same(kind: str) -> None:
    assert len(tokens(kind, 5000)) == 5000
    assert tokens(kind, 300) == tokens(kind, 5000)[:300]
    assert 2 < len("".join(tokens(kind, 5000))) / 5000 < 6, "characters per token"


def test_each_kind_is_one_block_that_never_ends() -> None:
    assert "\n\n- " not in "".join(tokens("list", 5000))
    assert "".join(tokens("code", 5000)).count("```") == 1
    assert all(line.startswith("|") for line in "".join(tokens("table", 5000)).splitlines())


def play(engine: StreamingEngine, until: threading.Event) -> None:
    engine.post(Generate(1, (("user", "go"),), {}))
    assert until.wait(30)


def test_an_answer_comes_in_bursts_first_and_then_token_by_token() -> None:
    ended = threading.Event()

    def on_event(event: object) -> None:
        if isinstance(event, Finished):
            ended.set()

    words = [f"{number} " for number in range(120)]
    engine = StreamingEngine(words, rate=1000, ahead=100, on_event=on_event)
    play(engine, ended)
    texts = [event.text for event in engine.events if isinstance(event, Text)]
    assert "".join(texts) == "".join(words)
    assert len(texts) == 2 + 20
    assert engine.events[-1] == Finished(1, "stop")


def test_a_stopped_answer_ends() -> None:
    ended = threading.Event()

    def on_event(event: object) -> None:
        if isinstance(event, Text):
            engine.post(Stop(1))
        if isinstance(event, Finished):
            ended.set()

    engine = StreamingEngine(["word "] * 100_000, rate=100, on_event=on_event)
    play(engine, ended)
    assert engine.events[-1] == Finished(1, "stopped")
    assert engine.close(5)


ECHO = (
    "import sys, time, tty; tty.setraw(0); print('ready', flush=True);"
    " import os\nwhile True: data = os.read(0, 100); time.sleep(float(sys.argv[1])); os.write(1, data)"
)


def test_a_slow_program_is_measured_as_slow() -> None:
    medians = []
    for delay in ("0", "0.2"):
        with Terminal([sys.executable, "-c", ECHO, delay]) as terminal:
            terminal.wait_for("ready")
            medians.append(percentile(Typist(terminal).key_to_screen(5), 50))
    assert medians[1] > 0.2
    assert medians[0] < medians[1]


def test_cpu_and_bytes_are_those_of_the_program() -> None:
    busy = "print('x' * 99, flush=True)\nwhile True: pass"
    with Terminal([sys.executable, "-c", busy]) as terminal:
        terminal.wait_for("x" * 99)
        cost = load(terminal, terminal.process.pid, 1.0)
        assert cost.cpu > 0.05
        assert cost.written == 0
        assert cpu_seconds(terminal.process.pid) > 0
        assert resident(terminal.process.pid) > 10**6


def test_a_program_that_ends_without_its_word_is_not_waited_for() -> None:
    with Terminal([sys.executable, "-c", "print('other')"]) as terminal:
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="other"):
            terminal.wait_for("word", 30)
        assert time.monotonic() - began < 25


def test_percentiles() -> None:
    assert percentile([5.0, 1.0, 3.0], 50) == 3.0
    assert percentile([float(number) for number in range(101)], 95) == 95.0
    assert percentile([2.0], 95) == 2.0


def test_the_table_says_which_targets_are_met() -> None:
    rows = [
        Row("first frame", "s", 0.5, 0.3, 0.6),
        Row("quit", "s", 0.75, None, 0.5),
        Row("memory", "MB", 1234.5),
    ]
    lines = table(rows).splitlines()
    assert lines[1].split() == ["first", "frame,", "s", "0.50", "0.30", "0.60", "met"]
    assert lines[2].split() == ["quit,", "s", "0.75", "-", "0.50", "missed"]
    assert lines[3].split() == ["memory,", "MB", "1,234", "-", "-"]
