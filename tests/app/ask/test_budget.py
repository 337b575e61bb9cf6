"""What a question may take and will take."""

from contextlib import suppress
from pathlib import Path

import pytest

from app.ask.answer import Mode
from app.ask.budget import Clock, estimate
from app.ask.chunking import Cutter
from app.ask.levels.material import Material
from app.ask.library import Library
from app.ask.speeds import Speeds
from tests.app.ask.levels.oracle import SIZES, tokenizer
from tests.app.ask.levels.writing import chronicle, document


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_knows_what_is_left_and_when_to_end() -> None:
    time = Time()
    clock = Clock(10.0, time)
    time.now += 7.0
    assert clock.left == 3.0
    assert not clock.over()
    assert clock.over(reserve=3.0)
    time.now += 4.0
    assert clock.over()
    assert not Clock(None, time).over(reserve=1e9)


def test_stages_add_up() -> None:
    time = Time()
    clock = Clock(None, time)
    for seconds in (1.0, 2.0):
        with clock.stage("reading"):
            time.now += seconds
    with suppress(KeyError), clock.stage("answer"):
        time.now += 5.0
        raise KeyError
    assert dict(clock.seconds) == {"reading": 3.0, "answer": 5.0}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library.sqlite")


@pytest.mark.parametrize(
    ("mode", "begins", "seconds", "longest"),
    [
        ("auto", "retrieve", 2.3 + 6.4, 2 * (2.3 + 6.4) + 10),
        ("retrieve", "retrieve", 2.3 + 6.4, 2 * (2.3 + 6.4) + 10),
        ("read", "read", 10 + 2.3 + 6.4, 10 + 2.3 + 6.4),
        ("reason", "reason", 4 * (2.3 + 6.4), 5 * (2.3 + 6.4) + 10),
        ("digest", "digest", 100 + 2.3 + 6.4, 100 + 2.3 + 6.4),
    ],
)
def test_an_estimate_follows_from_the_measured_speeds(
    library: Library, mode: Mode, begins: Mode, seconds: float, longest: float
) -> None:
    file = library.add(document(chronicle([], 1000)), None)
    sets = [library.cut(file.id, Cutter(tokenizer(), SIZES.chunk, SIZES.overlap))]
    speeds = Speeds(library, "model", "scout")
    material = Material(library, [file], sets, None, SIZES.window, len)
    unknown = estimate(material, SIZES, mode, speeds)
    assert (unknown.mode, unknown.seconds, unknown.longest) == (begins, None, None)
    read = sum(one.tokens for one in windows_of(library, sets))
    speeds.measured("prefill", 100, 1.0)
    speeds.measured("generate", 10, 1.0)
    speeds.measured_reading(read, 10.0)
    speeds.measured("notes", read, 100.0)
    speeds.save()
    known = estimate(material, SIZES, mode, Speeds(library, "model", "scout"))
    assert known.seconds == pytest.approx(seconds, rel=0.01)
    assert known.longest == pytest.approx(longest, rel=0.01)
    assert known.tokens == library.tokens(sets)
    assert known.windows == len(windows_of(library, sets))
    assert known.disk > file.characters


def windows_of(library: Library, sets: list[int]) -> list:
    from app.ask.windows import windows

    return windows(library.chunks(sets), SIZES.window)


def test_a_document_that_fits_is_estimated_as_one_prompt(library: Library) -> None:
    file = library.add(document("The bell rang."), None)
    sets = [library.cut(file.id, Cutter(tokenizer(), SIZES.chunk, SIZES.overlap))]
    material = Material(library, [file], sets, None, SIZES.window, len)
    assert estimate(material, SIZES, "auto", Speeds(library, "m", "s")).mode == "whole"
