"""Searching chunks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.documents.document import Heading
from app.ask.library import Hit, Library, Term
from tests.app.ask.library.samples import cutter, document, prose


def index(library: Library, *texts: str, headings: tuple[Heading, ...] = ()) -> list[int]:
    """A chunk set for each text, each text in a file of its own."""
    files = [
        library.add(document(text, f"{number}.txt", headings=headings), None)
        for number, text in enumerate(texts)
    ]
    return [library.cut(file.id, cutter()) for file in files]


def find(library: Library, sets: list[int], *words: str, limit: int = 5) -> list[str]:
    hits = library.search(sets, [Term(word) for word in words], limit)
    return [library.passage(hit.chunk.file, hit.chunk.start, hit.chunk.end).text for hit in hits]


def filled(*sentences: str, seed: int = 1) -> str:
    """Prose with each of the sentences in a paragraph of its own."""
    return "\n\n".join(f"{prose(20, seed + number)}\n\n{s}" for number, s in enumerate(sentences))


def test_a_rare_word_is_found_in_any_form(library: Library) -> None:
    sets = index(library, filled("Zebras were counted in Quilmo.", "Nobody saw a thing."))
    for word in ("zebra", "ZEBRAS", "count", "counting", "Quilmo"):
        assert "Zebras were counted" in find(library, sets, word)[0]


def test_two_characters_of_chinese_find_and_so_do_one_and_four(library: Library) -> None:
    sets = index(library, filled("镇上的老磨坊在河边倒塌了。", "没有人来。", seed=5))
    for word in ("磨坊", "老磨坊", "坊", "河边倒塌", "了", "老磨坊在河边"):
        assert any("老磨坊" in text for text in find(library, sets, word)), word
    assert find(library, sets, "磨河") == []
    assert library.frequency(sets, "磨坊") == 1


def test_the_words_of_a_phrase_follow_each_other(library: Library) -> None:
    sets = index(library, filled("The green kettle sang.", "The kettle was green."))
    assert len(find(library, sets, "green kettle")) == 1
    assert "sang" in find(library, sets, "green kettles")[0]
    assert find(library, sets, "kettle green") == []
    assert library.frequency(sets, "green kettle") == 1
    assert library.frequency(sets, "kettle") == 2


def test_a_heading_weighs_more_than_the_text(library: Library) -> None:
    body = "Of kettles nothing is known here."
    text = f"{body}\n\n{prose(30, 2)}\n\nKettles\n\n{prose(30, 3)}"
    sets = index(library, text, headings=(Heading(text.index("Kettles"), 1, "Kettles"),))
    best = library.search(sets, [Term("kettle")], 3)
    assert all(hit.chunk.start >= text.index("Kettles") for hit in best)


def test_scores_are_those_of_bm25(library: Library) -> None:
    sets = index(library, filled("A zebra and a zebra.", "One zebra.", "No animal."))
    chunks = library.chunks(sets)
    hits = library.search(sets, [Term("zebra")], 10)
    lengths = {
        chunk.id: len(library.passage(chunk.file, chunk.start, chunk.end).text.replace(".", "").split())
        for chunk in chunks
    }
    rarity = math.log(1 + (len(chunks) - 2 + 0.5) / 2.5)
    mean = sum(lengths.values()) / len(chunks)
    for hit, count in zip(hits, (2, 1), strict=True):
        norm = 0.25 + 0.75 * lengths[hit.chunk.id] / mean
        assert hit.score == pytest.approx(rarity * count * 2.2 / (count + 1.2 * norm), rel=0.05)


def test_weights_multiply_and_add(library: Library) -> None:
    sets = index(library, filled("A zebra.", "A giraffe."))

    def score(*terms: Term) -> list[Hit]:
        return library.search(sets, terms, 2)

    one, two = score(Term("zebra"))[0].score, score(Term("giraffe", 2.0))[0].score
    both = {hit.score for hit in score(Term("zebra"), Term("giraffe", 2.0), Term("ZEBRA", 0.5))}
    assert both == {one, two}
    assert score(Term("zebra", 3.0))[0].score == pytest.approx(3 * one)


def test_what_else_the_library_holds_changes_no_result(library: Library) -> None:
    text = filled("A zebra met a giraffe.", "The giraffe left.")
    sets = index(library, text)
    terms = [Term("zebra"), Term("giraffe"), Term("the mayor"), Term("boat")]
    before = [(hit.chunk.start, hit.score) for hit in library.search(sets, terms, 20)]
    index(library, filled("Zebras and giraffes, zebras and giraffes.", seed=40), prose(300, 50))
    library.cut(library.files()[-1].id, cutter(100, 20))
    assert [(hit.chunk.start, hit.score) for hit in library.search(sets, terms, 20)] == before


def test_several_files_are_searched_together(library: Library) -> None:
    sets = index(library, filled("A zebra."), filled("A zebra, a zebra.", seed=9), prose(30, 20))
    hits = library.search(sets, [Term("zebra")], 10)
    files = [file.id for file in reversed(library.files())]
    assert {hit.chunk.file for hit in hits} == set(files[:2])
    assert library.search(sets[2:], [Term("zebra")], 10) == []
    assert library.frequency(sets, "zebra") == 2


def test_within_ranges_only_what_overlaps_them_is_found(library: Library) -> None:
    text = filled("A zebra came.", "A zebra left.", "A zebra slept.")
    sets = index(library, text)
    file = library.files()[0].id
    where = text.index("A zebra left.")
    hits = library.search(sets, [Term("zebra")], 5, within=[(file, where, where + 1), (file + 1, 0, 10**9)])
    assert len(hits) == 1
    assert hits[0].chunk.start <= where < hits[0].chunk.end
    assert library.search(sets, [Term("zebra")], 5, within=[]) == []


def test_equal_scores_are_in_document_order(library: Library) -> None:
    sets = index(library, "\n\n".join(["The zebra came. " + "It rained all day. " * 14] * 12))
    starts = [hit.chunk.start for hit in library.search(sets, [Term("zebra")], 12)]
    assert len(starts) == 12
    assert starts == sorted(starts)


def test_limits_and_nothing_to_find(library: Library) -> None:
    sets = index(library, prose(100))
    assert len(library.search(sets, [Term("the")], 3)) == 3
    assert library.search(sets, [Term("the")], 0) == []
    assert library.search(sets, [], 3) == []
    assert library.search([], [Term("the")], 3) == []
    assert library.search(sets, [Term("hippopotamus")], 3) == []
    assert library.frequency([], "the") == 0
    with pytest.raises(KeyError):
        library.search([99], [Term("the")], 3)


@given(
    word=st.text()
    | st.lists(st.sampled_from(['"', "the", " OR ", "NEAR(", "*", "^", "\x00", "body:", "'", "-"])).map(
        "".join
    )
)
def test_nothing_that_is_searched_for_is_a_query(word: str) -> None:
    with Library.open() as library:
        sets = [library.cut(library.add(document("The mayor sold a boat."), None).id, cutter())]
        hits = library.search(sets, [Term(word), Term("boat")], 5)
        assert len(hits) == 1
        assert library.frequency(sets, word) <= 1


@pytest.mark.parametrize(
    "word", ['"', "a\x00b", "\ud800", "😀", "", "x" * 100_000, "NOT", "boat*", "body:boat", "^the"]
)
def test_hostile_words_find_what_they_spell_or_nothing(library: Library, word: str) -> None:
    sets = index(library, "The mayor sold a boat.")
    assert len(find(library, sets, word)) == (1 if word == "^the" else 0 if word != "boat*" else 1)
