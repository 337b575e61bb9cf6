"""Cells of a strip: what of the documents they stand for, and what they show of what was read."""

import time

from hypothesis import given
from hypothesis import strategies as st

from app.ask.library import File
from app.chat.documents.heat import LEVELS, Heat, Slice, pages_text
from app.chat.documents.items import Item
from app.chat.store.records import Reading


def item(file: int, characters: int, starts: tuple[int, ...] = ()) -> Item:
    stored = File(file, f"{file}.txt", "", "", "text", "page" if starts else "line", characters, ())
    return Item(-file, stored.name, "ready", stored, unit=stored.unit, pages=len(starts) or 1, starts=starts)


lengths = st.lists(st.integers(1, 500), min_size=1, max_size=4)


@given(lengths=lengths, width=st.integers(1, 60), part=st.floats(0, 1, exclude_max=True))
def test_a_character_lies_in_the_slice_of_its_cell(lengths: list[int], width: int, part: float) -> None:
    heat = Heat([item(number, length) for number, length in enumerate(lengths, 1)])
    number = int(part * len(lengths)) + 1
    position = int(part * lengths[number - 1])
    cell = heat.cell_of(number, position, width)
    assert cell is not None
    assert 0 <= cell < width
    found = heat.slice_of(cell, width)
    assert found is not None
    assert found.start < found.end <= found.item.characters
    if found.item.file == number and len(lengths) == 1:
        assert found.start <= position < found.end or width > lengths[0]


@given(width=st.integers(1, 20), scores=st.lists(st.integers(-20, 20), min_size=1, max_size=30))
def test_reading_in_any_steps_gives_the_same_cells(width: int, scores: list[int]) -> None:
    readings = [Reading(1, 10 * at, 10 * at + 14, score) for at, score in enumerate(map(float, scores))]
    items = [item(1, 10 * len(scores) + 4)]
    width = min(width, items[0].characters)  # as the strip does
    at_once, bit_by_bit = Heat(items), Heat(items)
    at_once.add(readings)
    bit_by_bit.scores(width)
    for reading in readings:
        bit_by_bit.add([reading])
    assert list(at_once.scores(width)) == list(bit_by_bit.scores(width))
    for cell, score in enumerate(at_once.scores(width)):
        part = at_once.slice_of(cell, width)
        assert part is not None
        assert score == max(one.score for one in readings if one.start < part.end and one.end > part.start)


def test_levels_rank_and_hold_the_undecided_middle() -> None:
    heat = Heat([item(1, 100)])
    heat.add([Reading(1, 0, 10, -8.0), Reading(1, 10, 20, -7.0)])
    assert heat.level(-8.0) == heat.level(-7.0) == 0
    heat.add([Reading(1, 20, 30, 9.0)])
    assert [heat.level(score) for score in (-8.0, 0.0, 9.0)] == [0, 1, LEVELS - 1]


def test_what_was_not_read_has_no_score() -> None:
    heat = Heat([item(1, 100), item(2, 100)])
    heat.add([Reading(2, 0, 50, 1.0), Reading(3, 0, 100, 5.0)])
    assert list(heat.scores(4)) == [None, None, 1.0, None]
    assert len(heat.readings) == 1
    assert heat.cell_of(3, 0, 4) is None


def test_an_empty_strip_has_no_slices() -> None:
    assert Heat().slice_of(0, 10) is None
    assert Heat().cell_of(1, 0, 10) is None
    assert list(Heat().scores(3)) == [None, None, None]


def test_slices_name_their_pages() -> None:
    paged = item(1, 100, (0, 10, 20, 90))
    assert pages_text(Slice(paged, 12, 18)) == "page 2"
    assert pages_text(Slice(paged, 5, 21)) == "pages 1 to 3"
    assert pages_text(Slice(paged, 95, 100)) == "page 4"
    assert pages_text(Slice(item(1, 200), 50, 60)) == "25 % to 30 % of the text"


def test_two_thousand_windows_cost_little() -> None:
    heat = Heat([item(1, 4_000_000)])
    heat.scores(160)
    begun = time.process_time()
    for at in range(2000):
        heat.add([Reading(1, 2000 * at, 2000 * at + 2100, float(at % 17))])
    assert time.process_time() - begun < 0.5  # some 10 ms
    assert None not in heat.scores(160)
