"""Leafing through a document of the library: nothing is left out, and only what is near is read."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ask.documents.document import Document, Heading, Page
from app.ask.library import Library
from app.ask.library.texts import StoredText
from app.chat.documents.book import LEAF, Book, pattern_of
from qwen2_mlx.errors import Qwen2Error


def stored(
    library: Path, text: str, lengths: list[int] | None = None, headings: tuple[Heading, ...] = ()
) -> int:
    """The id of a text in a new library, in pages of so many characters."""
    cuts = [0]
    for length in lengths or []:
        cuts.append(min(len(text), cuts[-1] + length))
    spans = list(pairwise([*cuts, len(text)]))
    pages = tuple(
        Page(number, *span, label="i" * number if number < 4 else "") for number, span in enumerate(spans, 1)
    )
    unit = "page" if lengths else "line"
    with Library.open(library) as opened:
        return opened.add(Document("a.txt", "0", "text", unit, text, pages, headings), None).id


@given(
    lengths=st.lists(st.integers(0, 3 * LEAF), max_size=6),
    tail=st.integers(1, 3 * LEAF),
    gap=st.integers(1, 2000),
)
@settings(max_examples=40)
def test_leaves_follow_each_other_without_gap_or_overlap(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], tail: int, gap: int
) -> None:
    place = tmp_path_factory.mktemp("book") / "library.sqlite"
    size = sum(lengths) + tail
    text = ("x" * gap + "\n") * (size // (gap + 1) + 1)
    file = stored(place, text[:size], lengths)
    book = Book.open(place, file)
    leaf = book.leaf_at(0)
    seen = [leaf]
    while (after := book.after(seen[-1])) is not None:
        seen.append(after)
    assert seen[0].start == 0
    assert seen[-1].end == size
    assert all(left.end == right.start for left, right in pairwise(seen))
    assert all(0 < one.end - one.start <= LEAF + 600 for one in seen)
    assert all(book.before(right) == left for left, right in pairwise(seen))
    assert all(book.leaf_at(one.start) == one == book.leaf_at(one.end - 1) for one in seen)
    book.close()


def test_places_are_told_as_people_say_them(tmp_path: Path) -> None:
    place = tmp_path / "library.sqlite"
    pages = Book.open(place, stored(place, "x" * 30, [10, 10]))
    assert pages.place(pages.leaf_at(12)) == "page 2 (ii) of 3"
    lines = Book.open(place, stored(place, "one\ntwo\nthree\n" * 2000))
    assert lines.place(lines.leaf_at(0)).startswith("lines 1 to 1,")
    assert lines.place(lines.leaf_at(0)).endswith(" of 6,001")
    long = Book.open(place, stored(place, "word " * 4000, [19_000]))
    assert long.place(long.leaf_at(0)) == "page 1 (i) of 2, a part"


def test_pages_and_lines_are_gone_to_by_number_or_label(tmp_path: Path) -> None:
    place = tmp_path / "library.sqlite"
    pages = Book.open(place, stored(place, "x" * 50, [10, 10, 10, 10]))
    assert [pages.go(words) for words in ("3", " 03 ", "iii", "9", "", "x", "0")] == [
        20,
        20,
        20,
        None,
        None,
        None,
        None,
    ]
    text = "one\ntwo\n\nfour\n" * 3000
    lines = Book.open(place, stored(place, text))
    for number in (1, 2, 3, 4, 6000, 12_001):
        position = lines.go(str(number))
        assert position is not None
        assert text.count("\n", 0, position) == number - 1
        assert position == 0 or text[position - 1] == "\n"
    assert lines.go("12002") is None
    assert lines.go("9" * 5000) is None


def test_headings_are_those_that_a_character_stands_under(tmp_path: Path) -> None:
    headings = (Heading(0, 1, "A"), Heading(10, 2, "B"), Heading(20, 2, "C"), Heading(30, 1, "D"))
    place = tmp_path / "library.sqlite"
    book = Book.open(place, stored(place, "x" * 40, None, headings))
    assert [book.headings_above(at) for at in (5, 15, 25, 35)] == [("A",), ("A", "B"), ("A", "C"), ("D",)]
    assert [one.title for one in book.headings_in(10, 30)] == ["B", "C"]


@pytest.mark.parametrize("start", [0, 70_000, 199_990])
def test_words_are_found_wherever_they_stand(tmp_path: Path, start: int) -> None:
    place = tmp_path / "library.sqlite"
    text = "x" * 65_530 + "The Secret\n  code" + "y" * 134_453
    book = Book.open(place, stored(place, text))
    steps = list(book.find("the secret CODE", start))
    assert steps[-1] == (65_530, 65_547)
    assert all(step is None for step in steps[:-1])
    assert list(book.find("nowhere", start))[-1] is None
    assert pattern_of("  ") is None


def test_a_million_tokens_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "This is a sentence of some words.\n" * 120_000
    place = tmp_path / "library.sqlite"
    file = stored(place, text, [2200] * 1800)
    read = []
    real = StoredText.__getitem__

    def counting(self: StoredText, key: slice) -> str:
        found = real(self, key)
        read.append(len(found))
        return found

    monkeypatch.setattr(StoredText, "__getitem__", counting)
    begun = time.perf_counter()
    book = Book.open(place, file)
    leaf = book.leaf_at(2_000_000)
    assert book.text(leaf.start, leaf.end)
    assert book.place(leaf)
    seconds = time.perf_counter() - begun
    assert sum(read) < 20_000
    assert seconds < 1.0  # a few milliseconds; a busy machine is no failure


def test_a_document_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    place = tmp_path / "library.sqlite"
    with pytest.raises(Qwen2Error, match="there is no document library"):
        Book.open(place, 1)
    assert not place.exists()
    stored(place, "Text.")
    with pytest.raises(Qwen2Error, match="no longer in the library"):
        Book.open(place, 99)
    (tmp_path / "other").write_bytes(b"x" * 5000)
    with pytest.raises(Qwen2Error):
        Book.open(tmp_path / "other", 1)
