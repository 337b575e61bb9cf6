"""Progress: the estimate weighs long prompts as they cost, and the line fits where it is shown."""

import io

import pytest

from app.eval.progress import Progress, Timing, duration, prompt_cost
from tests.app.eval.scripted import CONFIG


class Clock:
    """Time that passes only when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_cost_grows_with_the_square_of_a_long_prompt_and_the_length_of_a_short_one() -> None:
    assert prompt_cost(CONFIG, 20) / prompt_cost(CONFIG, 10) == pytest.approx(2, rel=0.02)
    assert prompt_cost(CONFIG, 2_000_000) / prompt_cost(CONFIG, 1_000_000) == pytest.approx(4, rel=0.01)


def test_attention_costs_as_much_as_the_weights_where_both_do_as_many_products() -> None:
    """Of this model: 128 x (2 x 6 x 32 + 3 x 384) weights a layer, 128 channels of queries."""
    even = 2 * 6 * 32 + 3 * 384
    assert prompt_cost(CONFIG, even) == 2 * even


def test_a_rate_and_a_constant_are_found() -> None:
    timing = Timing()
    assert timing.predict(10.0) is None
    timing.add(100.0, 7.0)
    assert timing.predict(200.0) == pytest.approx(14.0)
    timing.add(300.0, 11.0)  # 0.02 x cost + 5
    assert timing.predict(1000.0, 2) == pytest.approx(0.02 * 1000 + 5 * 2)


@pytest.mark.parametrize("times", [[(100.0, 5.0), (100.0, 7.0)], [(100.0, 9.0), (200.0, 3.0)], [(1.0, 0.0)]])
def test_odd_times_give_no_negative_estimate(times: list[tuple[float, float]]) -> None:
    timing = Timing()
    for cost, seconds in times:
        timing.add(cost, seconds)
    estimate = timing.predict(50.0, 1)
    assert estimate is not None
    assert estimate >= 0


def test_the_estimate_counts_what_is_left_of_the_current_prompt() -> None:
    clock, out = Clock(), Terminal()
    progress = Progress("eval", [100.0, 300.0, 300.0], stream=out, clock=clock)
    progress.start("first", 100.0)
    clock.now = 10.0
    progress.finish()
    progress.start("second", 300.0)
    assert progress.seconds_left() == pytest.approx(60.0)
    assert progress.seconds_left(share=0.5) == pytest.approx(45.0)
    assert progress.done == 1


def test_the_first_prompt_gives_an_estimate_as_soon_as_a_part_of_it_is_read() -> None:
    clock = Clock()
    progress = Progress("eval", [100.0, 100.0], stream=Terminal(), clock=clock)
    progress.start("first", 100.0)
    assert progress.seconds_left() is None
    clock.now = 5.0
    assert progress.seconds_left(share=0.5) == pytest.approx(15.0)


def test_a_terminal_shows_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    progress = Progress("eval", [1.0], skipped=3, stream=out, clock=Clock())
    progress.start("a description that is longer than the terminal is wide", 1.0)
    progress.part(0.5)
    progress.close()
    shown = out.getvalue()
    assert "\n" not in shown
    assert "eval: 3 of 4 done | a description" in shown
    assert "eval: 3 of 4 done, 0:00 left | a desc" in shown
    assert all(len(line.replace("\x1b[K", "")) < 40 for line in shown.split("\r"))


def test_a_log_gets_a_line_now_and_then() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress("eval", [1.0] * 100, stream=out, clock=clock)
    for _ in range(100):
        progress.start("prompt", 1.0)
        clock.now += 1.0
        progress.finish()
    lines = out.getvalue().splitlines()
    assert lines[0] == "eval: 0 of 100 done | prompt"
    assert lines[1] == "eval: 30 of 100 done, 1:10 left | prompt"
    assert len(lines) == 4
    assert "\r" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (62, "1:02"), (3600 * 3 + 61, "3:01:01"), (-3, "0:00")]
)
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text
