"""Speeds that were measured, and what is known without."""

from pathlib import Path

import pytest

from app.ask.library import Library
from app.ask.speeds import Speeds
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import FACTS, LOOKUP
from tests.app.ask.levels.writing import chronicle


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library.sqlite")


def test_what_was_never_measured_is_unknown(library: Library) -> None:
    speeds = Speeds(library, "7b", "0.5b")
    assert speeds.reading(1000) is None
    assert speeds.noting(1000) is None
    assert speeds.answering(1000) is None
    speeds.measured("prefill", 100, 1.0)  # but not how fast answers are written
    assert speeds.answering(1000) is None


def test_what_was_measured_is_kept_for_the_model_it_was_measured_with(library: Library) -> None:
    speeds = Speeds(library, "7b", "0.5b")
    speeds.measured_reading(1000, 0.5)
    speeds.measured_reading(1000, 1.5)
    speeds.save()
    assert Speeds(library, "7b", "0.5b").reading(5000) == pytest.approx(5.0)
    assert Speeds(library, "7b", "1.5b").reading(5000) is None


def test_pieces_stand_in_for_windows_only_until_windows_are_measured(library: Library) -> None:
    speeds = Speeds(library, "7b", "0.5b")
    speeds.measured_roughly(100, 1.0)
    assert speeds.reading(1000) == pytest.approx(10.0)
    speeds.measured_reading(1000, 1.0)
    assert speeds.reading(1000) == pytest.approx(1.0)
    speeds.save()
    assert library.speed("0.5b/read") == pytest.approx(1000.0)


def test_answering_measures_reading_and_writing_apart(library: Library) -> None:
    desk = Desk(library)
    desk.put(chronicle(FACTS, 400))
    now = [0.0]
    said = desk.oracle.answer

    def answer(question, parts, on_text=None):
        def slowly(piece: str) -> None:
            now[0] += 0.5
            assert on_text
            on_text(piece)

        now[0] += 3.5
        before = desk.oracle.usage.prefilled
        reply = said(question, parts, slowly)
        read.append(desk.oracle.usage.prefilled - before)
        return reply

    read: list[int] = []
    desk.oracle.answer = answer
    desk.ask(LOOKUP, mode="retrieve", now=lambda: now[0])
    assert library.speed("oracle/prefill") == pytest.approx(read[0] / 4.0)
    assert library.speed("oracle/generate") == pytest.approx(10 / (now[0] - 4.0))
