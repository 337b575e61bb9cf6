"""A mark is kept only with a quote that was located and supports its sentence."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from app.ask.citations import Cited, cite, cite_whole
from app.ask.documents.document import Document, Page, Place
from app.ask.library import Library
from app.ask.passage import Passage
from app.ask.roles.protocol import Roles, Sizes

PAGES = (
    "It was cold. The secret code of Morvan Telun is 42. The bridge was quiet.\n\n",
    "The trade of Brisa Kort is weaver. Her sister made bread in Ostavi for a living.\n\n",
    "People say that the secret code of Morvan Telun is 17. The end of the story is near.\n\n",
)


class Shelf:
    """What citations need of a library, about one document."""

    def __init__(self, pages: Sequence[str] = PAGES):
        text, made = "".join(pages), []
        for number, page in enumerate(pages, 1):
            start = made[-1].end if made else 0
            made.append(Page(number, start, start + len(page), "xii" if number == 3 else ""))
        self.document = Document("letters.pdf", "0" * 64, "pdf", "page", text, tuple(made))

    def file(self, id: int) -> Document:
        return self.document

    def place(self, file: int, position: int) -> Place:
        return self.document.place(position)

    def part(self, number: int) -> Passage:
        page = self.document.pages[number - 1]
        return Passage(1, page.start, page.end, self.document.text[page.start : page.end])


class Scripted:
    """Roles of which only `quote` is asked; it picks what the script says and remembers what it was asked."""

    sizes = Sizes(chunk=60, overlap=0, evidence=200, window=200, whole=1000)

    def __init__(self, pick: Callable[[str, Passage], str | None] = lambda statement, part: None):
        self.pick, self.asked = pick, []

    def quote(self, statement: str, part: Passage) -> Passage | None:
        self.asked.append((statement, part.start))
        picked = self.pick(statement, part)
        at = part.text.find(picked) if picked else -1
        return part.span(at, at + len(picked)) if picked and at >= 0 else None

    def count(self, text: str) -> int:
        return len(text.split())


SHELF = Shelf()
PARTS = [SHELF.part(1), SHELF.part(2), SHELF.part(3)]


def check(reply: str, roles: Scripted | None = None, **settings: Any) -> Cited:
    return cite(reply, PARTS, cast(Roles, roles or Scripted()), cast(Library, SHELF), **settings)


def quoted(cited: Cited) -> list[tuple[int, str, str]]:
    return [(c.number, str(c.place), c.quote) for c in cited.citations]


def test_a_sentence_that_stands_in_its_part_is_its_own_quote() -> None:
    roles = Scripted()
    cited = check("The secret code of Morvan Telun is 42 [1].", roles)
    assert quoted(cited) == [(1, "page 1", "The secret code of Morvan Telun is 42.")]
    citation = cited.citations[0]
    assert SHELF.document.text[citation.start : citation.end] == citation.quote
    assert (citation.match, citation.score, citation.name) == ("exact", 100.0, "letters.pdf")
    assert cited.sentences[0].citations == (1,)
    assert cited.text == "The secret code of Morvan Telun is 42 [1]."
    assert (cited.dropped, cited.not_found, roles.asked) == (0, False, [])


def test_pages_come_from_offsets_and_not_from_marks() -> None:
    """The model names part 2; the sentence stands in part 3."""
    cited = check("The secret code of Morvan Telun is 17 [2].")
    assert quoted(cited) == [(1, "page 3 (xii)", "the secret code of Morvan Telun is 17.")]
    assert cited.dropped == 0


def test_a_wrong_value_is_not_supported_by_a_similar_sentence() -> None:
    cited = check("The secret code of Morvan Telun is 43 [1].")
    assert (cited.citations, cited.dropped, cited.sentences[0].citations) == ((), 1, ())
    assert cited.text == "The secret code of Morvan Telun is 43."


def test_a_wrong_person_is_not_supported_by_a_similar_sentence() -> None:
    assert check("The secret code of Morvan Telan is 42 [1].").dropped == 1


def test_conflicting_sentences_keep_their_own_quotes() -> None:
    cited = check("The secret code of Morvan Telun is 42 [1]. The secret code of Morvan Telun is 17 [3].")
    assert [(number, place) for number, place, _ in quoted(cited)] == [(1, "page 1"), (2, "page 3 (xii)")]
    assert [sentence.citations for sentence in cited.sentences] == [(1,), (2,)]


def test_the_model_picks_the_quote_of_a_paraphrase() -> None:
    roles = Scripted(lambda statement, part: "Her sister made bread in Ostavi for a living.")
    cited = check("The sister was a baker in Ostavi [2].", roles)
    assert quoted(cited) == [(1, "page 2", "Her sister made bread in Ostavi for a living.")]
    assert roles.asked == [("The sister was a baker in Ostavi.", PARTS[1].start)]


def test_a_picked_quote_that_lacks_a_name_or_number_is_dropped() -> None:
    roles = Scripted(lambda statement, part: "Her sister made bread in Ostavi for a living.")
    assert check("The sister was a baker in Kolmar [2].", roles).dropped == 1
    assert check("The sister baked 5 loaves in Ostavi [2].", roles).dropped == 1


def test_marks_of_no_part_are_dropped_without_asking() -> None:
    roles = Scripted()
    cited = check("Everybody was happy [4] [0].", roles)
    assert (cited.dropped, roles.asked) == (2, [])


def test_the_same_quote_keeps_its_number_and_others_count_on() -> None:
    reply = (
        "The trade of Brisa Kort is weaver [2]. The secret code of Morvan Telun is 42 [1]."
        " So the trade of Brisa Kort is weaver [2]."
    )
    roles = Scripted(lambda statement, part: "The trade of Brisa Kort is weaver.")
    cited = check(reply, roles)
    assert [sentence.citations for sentence in cited.sentences] == [(1,), (2,), (1,)]
    assert [citation.number for citation in cited.citations] == [1, 2]


def test_a_sentence_without_a_mark_is_cited_where_it_stands() -> None:
    cited = check("The trade of Brisa Kort is weaver.")
    assert quoted(cited) == [(1, "page 2", "The trade of Brisa Kort is weaver.")]


def test_not_in_the_document_is_a_result_and_no_claim() -> None:
    reply = "The secret code of Morvan Telun is 42 [1]. The trade of Ana Bo is not in the document."
    cited = check(reply)
    assert cited.not_found
    assert cited.dropped == 0
    assert [sentence.citations for sentence in cited.sentences] == [(1,), ()]
    assert check("Not in the document.").not_found


def test_a_sentence_that_nothing_supports_stands_without_a_mark() -> None:
    cited = check("The secret code of Morvan Telun is 42 [1]. Everybody was happy [2].")
    assert cited.text == "The secret code of Morvan Telun is 42 [1]. Everybody was happy."
    assert cited.dropped == 1


def test_a_sentence_said_twice_is_shown_once() -> None:
    sentence = "The secret code of Morvan Telun is 42 [1]."
    assert len(check(f"{sentence} {sentence} {sentence}").sentences) == 1


def whole(reply: str, roles: Scripted) -> Cited:
    text = SHELF.document.text
    return cite_whole(reply, Passage(1, 0, len(text), text), cast(Roles, roles), cast(Library, SHELF))


def test_an_answer_without_marks_is_cited_where_it_stands() -> None:
    roles = Scripted()
    cited = whole("The trade of Brisa Kort is weaver. The secret code of Morvan Telun is 17.", roles)
    assert [place for _, place, _ in quoted(cited)] == ["page 2", "page 3 (xii)"]
    assert roles.asked == []


def test_the_model_picks_a_quote_where_words_are_shared() -> None:
    roles = Scripted(lambda statement, part: "Her sister made bread in Ostavi for a living.")
    cited = whole("In Ostavi a sister was a baker of bread.", roles)
    assert quoted(cited) == [(1, "page 2", "Her sister made bread in Ostavi for a living.")]
    assert len(roles.asked) == 1


def test_what_no_place_supports_is_counted() -> None:
    roles = Scripted()
    cited = whole("The sister lived in Kolmar. Not in the document.", roles)
    assert (cited.dropped, cited.not_found, cited.citations) == (1, True, ())


@pytest.mark.parametrize("reply", ["", "...", "[1]"])
def test_nothing_said_is_nothing_cited(reply: str) -> None:
    cited = check(reply)
    assert (cited.sentences, cited.citations, cited.not_found) == ((), (), False)


def test_chinese_marks_stand_before_the_full_stop() -> None:
    shelf = Shelf(("他的编号是四十二号。天气很冷。",))
    cited = cite("他的编号是四十二号[1]。", [shelf.part(1)], cast(Roles, Scripted()), cast(Library, shelf))
    assert cited.text == "他的编号是四十二号[1]。"


def test_another_word_is_not_supported_by_a_similar_sentence() -> None:
    roles = Scripted(lambda statement, part: "The trade of Brisa Kort is weaver.")
    cited = check("The trade of Brisa Kort is baker [2].", roles)
    assert (cited.citations, cited.dropped) == ((), 1)
    assert roles.asked
    assert check("The trade of Brisa Kort is not weaver [2].", roles).citations == ()
