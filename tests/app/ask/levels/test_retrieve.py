"""Searching: for the question's own words first, for words of the model where those do not suffice."""

import pytest

from app.ask.events import Draft
from app.ask.passage import Passage
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import (
    ABSENT,
    FACTS,
    LOOKUP,
    OTHER_POTTER,
    PARAPHRASE,
    TEACHERS_TRADE,
    TOWN,
    TRADE,
)
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.writing import chronicle


def starts(parts: tuple[Passage, ...]) -> list[tuple[int, int]]:
    return [(part.file, part.start) for part in parts]


def test_a_question_with_rare_words_needs_no_keywords(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask(LOOKUP, mode="retrieve")
    assert desk.oracle.calls == ["answer"]
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert answer.status == "found"
    assert answer.coverage.tokens_read < 0.05 * answer.coverage.tokens
    assert_valid(answer, desk.library)


def test_a_question_whose_words_no_text_holds_is_searched_by_keywords(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask(PARAPHRASE, mode="retrieve")
    assert desk.oracle.calls == ["keywords", "relevance", "answer"]
    assert {citation.quote for citation in answer.citations} == {TEACHERS_TRADE, OTHER_POTTER}


def test_words_that_many_chunks_hold_do_not_tell_where_to_look(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask("Who makes jugs near the harbour, the mill and the bridge?", mode="retrieve")
    assert desk.oracle.calls[0] == "keywords"
    assert {citation.quote for citation in answer.citations} == {TEACHERS_TRADE, OTHER_POTTER}


def test_a_second_search_shows_the_model_what_it_has_not_seen(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask("Who met Morvan Telun and Bralin Kotor?", mode="retrieve")
    assert answer.status == "not_found"
    first, second = desk.oracle.shown
    assert not {TRADE, TOWN} & {fact for fact in FACTS for part in second if fact in part.text}
    assert any(TOWN in part.text for part in first)
    assert desk.oracle.calls.count("keywords") == 1


def test_a_second_answer_is_made_from_what_the_scout_says_yes_to_alone(desk: Desk) -> None:
    """A small model that is led astray by other passages may still read the right one."""
    desk.take(400)
    said = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: (
        "He was a baker." if len(parts) > 1 else said(question, parts, on_text)
    )
    answer = desk.ask(LOOKUP, mode="retrieve")
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert len(answer.evidence) == 1


def test_a_search_that_was_stopped_before_its_second_half_is_not_complete(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask(ABSENT, mode="retrieve", stopped=lambda: "answer" in desk.oracle.calls)
    assert desk.oracle.calls == ["answer"]
    assert (answer.status, answer.text) == ("partial", "Not in the part that was read.")


def test_what_keywords_find_is_put_in_order_by_the_scout(desk: Desk) -> None:
    loud = [f"The trade, and trade, and trade again is what {name} talked about." for name in "ABCDEFGH"]
    desk.put(chronicle([*loud, TEACHERS_TRADE, *loud], 400))
    desk.oracle.keywords = lambda question: ["trade"]
    desk.oracle._score = lambda question, window: -1.0 if TEACHERS_TRADE in window.text else -5.0
    answer = desk.ask(PARAPHRASE, mode="retrieve", evidence=70)  # one chunk
    assert [citation.quote for citation in answer.citations] == [TEACHERS_TRADE]


def test_an_answer_that_the_scout_does_not_doubt_is_the_last_one(desk: Desk) -> None:
    desk.take(400)
    assert desk.ask(PARAPHRASE).mode == "retrieve"
    assert not desk.happened(Draft)


@pytest.mark.parametrize(("place", "status"), [(-1.0, "unverified"), (-9.0, "not_found")])
def test_an_answer_that_the_scout_doubts_stands_if_its_place_is_the_best(
    desk: Desk, place: float, status: str
) -> None:
    """Small scouts may say no to everything, and still know where to look."""
    desk.take(400)
    desk.oracle._score = lambda question, window: place if TEACHERS_TRADE in window.text else -5.0
    said = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: (
        said(question, parts, on_text) if len(desk.oracle.shown) == 0 else "Not in the document."
    )
    answer = desk.ask(PARAPHRASE)
    assert (answer.status, answer.escalations) == (status, ("read: the scout doubts the answer",))
    assert [draft.answer.status for draft in desk.happened(Draft)] == ["unverified"]


def test_parts_stand_in_document_order_and_neighbours_are_one(desk: Desk) -> None:
    names = ["Rinka Solo", "Danor Pleka", "Tosin Greva"]
    said = [f"The code word of {name} was heard by the harbour master in the cold evening." for name in names]
    text = chronicle([], 200) + "\n" + " ".join(said) + "\n" + chronicle([f"{names[0]} left."], 200, 1)
    desk.put(text)
    desk.ask("What did Rinka Solo, Danor Pleka and Tosin Greva say?", mode="retrieve", evidence=400)
    parts = desk.oracle.shown[0]
    assert starts(parts) == sorted(starts(parts))
    assert any(all(name in part.text for name in names) for part in parts)


@pytest.mark.parametrize("budget", [1, 80, 150, 230, 600])
def test_evidence_stays_within_its_budget(desk: Desk, budget: int) -> None:
    desk.take(400)
    desk.ask(ABSENT, mode="retrieve", evidence=budget)
    for parts in desk.oracle.shown:
        tokens = sum(desk.oracle.count(part.text) for part in parts)
        assert tokens <= max(budget, desk.oracle.sizes.chunk)


def test_where_no_word_matches_the_beginnings_are_looked_at(desk: Desk) -> None:
    desk.oracle = Oracle(kinds="lookup")
    desk.oracle.keywords = lambda question: []
    for number in (1, 2):
        desk.put(chronicle([], 200, number), f"{number}.txt")
    desk.ask("Xyzzy?", mode="retrieve")
    assert starts(desk.oracle.shown[0]) == [(file.id, 0) for file in desk.files]


def test_the_page_of_a_quote_is_where_it_stands(desk: Desk) -> None:
    text = chronicle(FACTS, 900)
    file = desk.put(text, pages=True)
    answer = desk.ask(LOOKUP, mode="retrieve")
    assert answer.citations[0].place == desk.library.document(file.id).place(text.index(TRADE))


def test_what_was_answered_before_is_carried_into_the_evidence(desk: Desk) -> None:
    desk.take(400)
    desk.ask("And who is Bralin Kotor?", mode="retrieve", previous=(LOOKUP, TRADE), evidence=600)
    assert any(TRADE in part.text for part in desk.oracle.shown[0])
