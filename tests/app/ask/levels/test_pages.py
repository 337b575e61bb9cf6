"""`--pages`: nothing outside them is shown to any model."""

import pytest

from app.ask.levels.pages import clip, ranges_of
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import ABSENT, COUNT, LIST, LOOKUP, PARAPHRASE, TRADE
from tests.app.ask.levels.writing import PAGE, chronicle


@pytest.fixture
def paged(desk: Desk) -> Desk:
    desk.take(400)
    return desk


@pytest.mark.parametrize("mode", ["auto", "retrieve", "read", "digest"])
@pytest.mark.parametrize("question", [LOOKUP, ABSENT, PARAPHRASE, COUNT, LIST])
def test_no_model_sees_another_page(paged: Desk, mode: str, question: str) -> None:
    answer = paged.ask(question, mode=mode, pages=((2, 4), (9, 9)))
    shown = [part for parts in paged.oracle.shown for part in parts] + paged.oracle.scored
    assert shown
    for passage in shown:
        assert PAGE <= passage.start < passage.end <= 4 * PAGE or (
            8 * PAGE <= passage.start < passage.end <= 9 * PAGE
        )
    assert {citation.place.number for citation in answer.citations} <= {2, 3, 4, 9}
    assert_valid(answer, paged.library)


def test_pages_that_fit_are_taken_whole(paged: Desk) -> None:
    text = paged.library.passage(paged.files[0].id, 0, 10**6).text
    page = text.index(TRADE) // PAGE + 1
    answer = paged.ask(LOOKUP, pages=((page, page),), window=2000, evidence=900)
    assert answer.citations[0].place.number == page
    assert answer.coverage.tokens < 1000


def test_reading_covers_all_of_the_pages_and_no_more(paged: Desk) -> None:
    answer = paged.ask(ABSENT, mode="read", pages=((2, 4),))
    spans = sorted((window.start, window.end) for window in paged.oracle.scored)
    assert spans[0][0] == PAGE
    assert max(end for _, end in spans) == 4 * PAGE
    assert answer.coverage.windows_read == answer.coverage.windows
    assert answer.coverage.tokens_read == answer.coverage.tokens


def test_a_window_does_not_reach_over_a_page_that_is_left_out(desk: Desk) -> None:
    lines = [chronicle([], 12, seed).replace("\n", " ") for seed in range(3)]
    lines.insert(1, "Secret.")
    desk.put("\n".join(lines))
    for mode in ("read", "digest", "retrieve"):
        desk.ask(ABSENT, mode=mode, pages=((1, 1), (3, 4)))
    shown = [part for parts in desk.oracle.shown for part in parts] + desk.oracle.scored
    assert len(shown) > 2
    assert not any("Secret" in passage.text for passage in shown)


def test_scattered_lines_are_all_read_each_once_and_counted_as_what_they_are(desk: Desk) -> None:
    lines = [chronicle([], 1, seed) for seed in range(120)]
    file = desk.put("\n".join(lines))
    odd = tuple((line, line) for line in range(1, 121, 2))
    ranges = ranges_of(desk.library, [file], odd)
    assert ranges is not None
    assert len(ranges) == 60
    answer = desk.ask(ABSENT, mode="read", pages=odd)
    shown = [(window.start, window.end) for window in desk.oracle.scored]
    for _, start, end in ranges:
        assert sum(start <= first < last <= end for first, last in shown) == 1
    assert answer.coverage.windows_read == answer.coverage.windows == 60
    exact = sum(desk.oracle.count(line) for line in lines[::2])
    assert answer.coverage.tokens_read == answer.coverage.tokens == pytest.approx(exact, rel=0.25)


def test_texts_without_pages_are_counted_in_lines(desk: Desk) -> None:
    file = desk.put("one\ntwo\nthree\nfour")
    assert ranges_of(desk.library, [file], ((2, 3),)) == [(file.id, 4, 14)]
    assert ranges_of(desk.library, [file], ((4, 90), (1, 1))) == [(file.id, 0, 4), (file.id, 14, 18)]


def test_pages_that_touch_are_one_range(paged: Desk) -> None:
    (file,) = paged.files
    assert ranges_of(paged.library, [file], ((3, 3), (2, 2), (2, 2))) == [(file.id, PAGE, 3 * PAGE)]


def test_pages_that_no_document_has_are_refused(paged: Desk) -> None:
    with pytest.raises(Qwen2Error, match="no document has any of the pages 400-500,900; leave out --pages"):
        paged.ask(LOOKUP, pages=((400, 500), (900, 900)))


def test_without_pages_everything_may_be_looked_at(paged: Desk) -> None:
    assert ranges_of(paged.library, paged.files, ()) is None
    assert clip(1, 5, 9, None) == [(1, 5, 9)]
    assert clip(1, 5, 9, [(1, 0, 6), (1, 8, 20), (2, 5, 9)]) == [(1, 5, 6), (1, 8, 9)]
