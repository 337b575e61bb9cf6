"""The places of a document that share the rarest words with a statement."""

from itertools import pairwise

from app.ask.likely import likely_passages
from app.ask.passage import Passage

TEXT = " ".join(
    [
        *(f"The day number {n} was cold." for n in range(40)),
        "A weaver lived by the river.",
        *(f"The night number {n} was warm." for n in range(40)),
    ]
)
DOCUMENT = Passage(3, 500, 500 + len(TEXT), TEXT)


def count(text: str) -> int:
    return len(text.split())


def test_the_likeliest_place_comes_first_with_what_is_around_it() -> None:
    first, *_ = likely_passages("Was there a weaver?", DOCUMENT, 2, 20, count)
    assert "A weaver lived by the river." in first.text
    assert count(first.text) <= 20
    assert count(first.text) > 12
    assert TEXT[first.start - 500 : first.end - 500] == first.text


def test_places_do_not_repeat_and_are_not_more_than_asked() -> None:
    found = likely_passages("the number of the cold day", DOCUMENT, 3, 20, count)
    assert len(found) == 3
    ordered = sorted(found, key=lambda place: place.start)
    assert all(a.start != b.start for a, b in pairwise(ordered))


def test_no_shared_word_is_no_place() -> None:
    assert likely_passages("Xylophone?", DOCUMENT, 2, 20, count) == []
    assert likely_passages("数学", DOCUMENT, 2, 20, count) == []
