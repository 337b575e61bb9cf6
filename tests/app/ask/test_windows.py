"""Windows hold all chunks, within their budget and within one file."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.library import Chunk
from app.ask.windows import Window, windows
from tests.app.ask.library.samples import cutter, prose, tiny_tokenizer


def chunks_of(text: str, file: int = 1, size: int = 50, overlap: int = 12) -> list[Chunk]:
    cuts = cutter(size, overlap).cut(text)
    return [Chunk(file << 24 | at, file, c.start, c.end, c.tokens, c.overlap) for at, c in enumerate(cuts)]


_SIZES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50), st.integers(0, 20), st.integers(0, 400)))


@given(sizes=_SIZES, budget=st.integers(50, 200))
def test_every_chunk_is_in_a_window_and_no_window_is_larger_than_asked_for(
    sizes: list[tuple[int, int, int, int]], budget: int
) -> None:
    chunks, end = [], 0
    for number, (file, tokens, overlap, gap) in enumerate(sorted(sizes, key=lambda size: size[0])):
        start = max(0, end + gap - overlap)
        if chunks and chunks[-1].file == file:
            start = max(start, chunks[-1].start + 1)
        else:
            start = 0
        end = max(end if start else 0, start) + tokens
        chunks.append(Chunk(number, file, start, end, tokens, min(overlap, tokens) if start else 0))
    found = windows(chunks, budget)
    assert all(window.tokens <= budget for window in found)
    for chunk in chunks:
        assert any(w.file == chunk.file and w.start <= chunk.start and chunk.end <= w.end for w in found)
    borders = {(chunk.file, chunk.start) for chunk in chunks}, {(chunk.file, chunk.end) for chunk in chunks}
    assert all((w.file, w.start) in borders[0] and (w.file, w.end) in borders[1] for w in found)
    assert [w.file for w in found] == sorted(w.file for w in found)


def test_the_last_chunk_of_a_window_begins_the_next() -> None:
    chunks = chunks_of(prose(300))
    found = windows(chunks, 300)
    by_end = {chunk.end: chunk for chunk in chunks}
    assert len(found) > 10
    assert all(after.start == by_end[before.end].start for before, after in pairwise(found))


def test_what_is_read_has_no_more_tokens_than_the_window_says() -> None:
    text = prose(600)
    for window in windows(chunks_of(text), 300):
        counted = len(tiny_tokenizer().encode(text[window.start : window.end]))
        assert 0.9 * window.tokens < counted <= window.tokens <= 300


def test_windows_are_full() -> None:
    found = windows(chunks_of(prose(600)), 400)
    assert sum(window.tokens for window in found[:-1]) > 0.8 * 400 * (len(found) - 1)


def test_a_window_never_crosses_files() -> None:
    first, second = prose(10, seed=1), prose(10, seed=2)
    found = windows([*chunks_of(first, 1), *chunks_of(second, 2)], 10_000)
    assert [(window.file, window.start, window.end) for window in found] == [
        (1, 0, len(first)),
        (2, 0, len(second)),
    ]


def test_files_are_told_apart_by_number_and_not_by_position() -> None:
    assert windows([Chunk(1, 1, 0, 40, 9), Chunk(2, 2, 5, 45, 9)], 50) == [
        Window(1, 0, 40, 9),
        Window(2, 5, 45, 9),
    ]


def test_wide_white_space_parts_windows() -> None:
    text = "One stood here." + " " * 5000 + "Two stood there."
    found = windows(chunks_of(text, size=12, overlap=0), 100)
    assert [text[window.start : window.end] for window in found] == ["One stood here.", "Two stood there."]


def test_no_chunks_have_no_windows() -> None:
    assert windows([], 100) == []


def test_a_single_chunk_is_its_own_window() -> None:
    assert windows([Chunk(1, 5, 3, 40, 9)], 9) == [Window(5, 3, 40, 9)]


def test_a_chunk_larger_than_a_window_is_a_bug() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        windows([Chunk(1, 1, 0, 40, 9)], 8)
