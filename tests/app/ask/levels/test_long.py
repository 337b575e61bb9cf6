"""A document of a million characters: what the levels add to the models' time, and to memory."""

import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.ask.library import Library
from app.ask.passage import Passage
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import ABSENT, COUNT, FACTS, LOOKUP, TRADE
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.writing import chronicle


class Forgetful(Oracle):
    """Knows nothing, which takes no time, and keeps no texts."""

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        return [-5.0 - window.start % 100 / 100 for window in windows]

    def notes(self, question: str, window: Passage) -> list[Passage]:
        return []


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(Library.open(tmp_path_factory.mktemp("million") / "library.sqlite"))
    file = desk.put(chronicle(FACTS, 19_000), pages=True)
    assert file.characters > 1_000_000
    desk.ask(LOOKUP)  # indexes
    return desk


@pytest.mark.slow
def test_a_search_shows_the_model_a_thousandth_of_a_million_characters(million: Desk) -> None:
    answer = million.ask(LOOKUP)
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert answer.coverage.tokens_read < 0.001 * answer.coverage.tokens
    assert_valid(answer, million.library)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "question"), [("read", ABSENT), ("digest", COUNT)])
def test_a_window_costs_less_than_a_millisecond_beside_the_models(
    million: Desk, mode: str, question: str
) -> None:
    million.oracle = Forgetful(rows=16)
    begun = time.process_time()
    answer = million.ask(question, mode=mode, max_time=None)
    seconds = time.process_time() - begun
    assert answer.coverage.windows_read == answer.coverage.windows > 1000
    assert seconds < 0.001 * answer.coverage.windows


@pytest.mark.slow
def test_texts_are_not_collected_while_reading(million: Desk, tmp_path: Path) -> None:
    million.oracle = Forgetful(rows=16)
    million.oracle.scout_id = "another"
    million.ask(ABSENT, mode="read", max_time=1e-9)  # what is allocated once
    tracemalloc.start()
    try:
        million.ask(ABSENT, mode="read", max_time=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20
