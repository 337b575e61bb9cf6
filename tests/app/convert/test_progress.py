"""Progress tells bytes, rate and time left; quick conversions say nothing."""

import io

import pytest

from app.convert.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_quick_conversion_says_nothing(stream: type[io.StringIO]) -> None:
    output, clock = stream(), Clock()
    progress = Progress("convert", 100, output, clock)
    for _ in range(10):
        clock.now += 0.01
        progress.done(10)
    progress.clear()
    assert output.getvalue() == ""


def test_bytes_rate_and_time_left_are_told() -> None:
    output, clock = io.StringIO(), Clock()
    progress = Progress("convert", 40_000_000_000, output, clock)
    clock.now = 20.0
    progress.done(4_000_000_000)
    assert output.getvalue() == "convert: 4.0 GB of 40.0 GB, 200 MB/s, 3 min left\n"


def test_what_an_earlier_run_wrote_is_no_speed() -> None:
    output, clock = io.StringIO(), Clock()
    progress = Progress("convert", 10_000_000_000, output, clock)
    clock.now = 11.0
    progress.found(5_000_000_000)
    clock.now = 22.0
    progress.done(1_100_000_000)
    assert output.getvalue().splitlines() == [
        "convert: 5.0 GB of 10.0 GB are there already",
        "convert: 6.1 GB of 10.0 GB, 100 MB/s, 39 s left",
    ]


def test_lines_elsewhere_than_on_a_terminal_are_few() -> None:
    output, clock = io.StringIO(), Clock()
    progress = Progress("convert", 1000, output, clock)
    for _ in range(1000):
        clock.now += 0.1
        progress.done(1)
    assert len(output.getvalue().splitlines()) <= 10


def test_a_terminal_shows_one_line_that_is_rewritten_and_cleared() -> None:
    output, clock = Terminal(), Clock()
    progress = Progress("convert", 10_000_000, output, clock)
    for _ in range(5):
        clock.now += 1.0
        progress.done(1_000_000)
    progress.say("done")
    shown = output.getvalue()
    assert "5.0 MB of 10.0 MB, 1.0 MB/s, 5 s left" in shown
    assert shown.count("\n") == 1
    assert shown.endswith(" \rconvert: done\n")


@pytest.mark.parametrize(
    ("rate", "left"), [(1e6, "99 s"), (1e5, "16 min"), (1e4, "2 h 45 min"), (1e3, "27 h 30 min")]
)
def test_long_times_are_told_in_larger_units(rate: float, left: str) -> None:
    output, clock = io.StringIO(), Clock()
    progress = Progress("convert", int(99e6 + rate * 10), output, clock)
    clock.now = 10.0
    progress.done(int(rate * 10))
    assert output.getvalue().endswith(f", {left} left\n")
