"""Chains of facts: one question leads to the next."""

from itertools import pairwise

import pytest

from app.ask.events import Draft, Step, Text
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import BROKEN_CHAIN, CHAIN, LOOKUP, TEACHER, TEACHERS_TRADE, TRADE
from tests.app.ask.levels.writing import chronicle

PEOPLE = ("Morvan Telun", "Sterin Grado", "Bralin Kotor", "Linda Pravo", "Ansel Drila", "Grenol Stapi")


def links(hops: int) -> list[str]:
    taught = [f"The teacher of {pupil} is {teacher}." for pupil, teacher in pairwise(PEOPLE)]
    return [*taught[: hops - 1], f"The trade of {PEOPLE[hops - 1]} is potter."]


def question(hops: int) -> str:
    return f"What is the trade of {'the teacher of ' * (hops - 1)}{PEOPLE[0]}?"


@pytest.mark.parametrize("hops", [2, 3, 4, 5])
def test_a_chain_is_followed_link_by_link(desk: Desk, hops: int) -> None:
    said = links(hops)
    desk.put(chronicle(said[::-1], 800), pages=True)
    answer = desk.ask(question(hops))
    assert (answer.status, answer.mode) == ("found", "reason")
    assert [hop.finding for hop in answer.hops] == said
    assert [step.number for step in desk.happened(Step)] == list(range(1, hops + 1))
    assert {citation.quote for citation in answer.citations} == set(said)
    assert_valid(answer, desk.library)


def test_the_answer_is_made_from_the_quotes_of_all_steps(desk: Desk) -> None:
    desk.take(400)
    desk.ask(CHAIN, mode="reason")
    assert [part.text for part in desk.oracle.shown[-1]] == [TEACHER, TEACHERS_TRADE]


def test_a_question_for_one_fact_is_one_step(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask(LOOKUP, mode="reason")
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert desk.oracle.calls == ["first", "answer"]


def test_a_missing_link_is_named_and_what_was_found_is_told(desk: Desk) -> None:
    desk.put(chronicle([TEACHER, "The home town of Anna Bo is Rome."], 400))
    answer = desk.ask(CHAIN)
    assert answer.status == "not_found"
    assert answer.text.startswith("People say that the teacher of Morvan Telun is Sterin Grado [1].")
    assert answer.text.endswith("Not in the document: What is the trade of Sterin Grado?")
    assert [bool(hop.finding) for hop in answer.hops] == [True, False]
    assert_valid(answer, desk.library)


def test_a_missing_first_link_is_not_found(desk: Desk) -> None:
    desk.take(400)
    answer = desk.ask(BROKEN_CHAIN)
    assert (answer.status, answer.citations) == ("not_found", ())
    assert answer.text == "Not in the document: Who is the teacher of Bralin Kotor?"


def test_a_step_that_searching_does_not_answer_is_read_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.take(400)
    monkeypatch.setattr(desk.library, "search", lambda *query: [])
    answer = desk.ask(CHAIN)
    assert answer.status == "found"
    assert len(answer.hops) == 2
    assert answer.escalations


def test_a_model_that_asks_for_one_thing_more_is_answered_all_the_same(desk: Desk) -> None:
    desk.take(400)
    desk.oracle.first = lambda question: (
        "Who is the teacher of Sterin Grado?"
        if "Sterin" in question
        else "Who is the teacher of Morvan Telun?"
    )
    answer = desk.ask(CHAIN)
    assert answer.status == "found"
    assert [hop.question for hop in answer.hops] == [
        "Who is the teacher of Morvan Telun?",
        "What is the trade of Sterin Grado?",
    ]
    assert not answer.escalations


def test_a_model_that_asks_the_same_again_does_not_go_round_in_circles(desk: Desk) -> None:
    desk.take(400)
    desk.oracle.first = lambda question: "Who is the teacher of Morvan Telun?"
    answer = desk.ask(CHAIN, mode="reason")
    assert len(answer.hops) == 1
    assert_valid(answer, desk.library)


def test_a_step_about_somebody_of_whom_nobody_spoke_is_not_looked_up(desk: Desk) -> None:
    """A model that makes up a name would have the whole text read for a stranger."""
    desk.take(400)
    desk.oracle.first = lambda question: "Who is the teacher of Krepan Sholdri?"
    answer = desk.ask(CHAIN, mode="reason")
    assert all("Krepan" not in hop.question for hop in answer.hops)
    assert {citation.quote for citation in answer.citations} == {TEACHER, TEACHERS_TRADE}


def test_a_finding_is_not_put_in_under_another_name(desk: Desk) -> None:
    desk.take(400)
    desk.oracle.resolve = lambda finding, question: "What is the trade of Krepan Sholdri?"
    answer = desk.ask(CHAIN, mode="reason")
    assert [hop.question for hop in answer.hops] == ["Who is the teacher of Morvan Telun?"]
    assert "Krepan" not in answer.text


def test_a_model_that_cannot_put_a_finding_in_is_not_asked_forever(desk: Desk) -> None:
    desk.take(400)
    desk.oracle.resolve = lambda finding, question: question.lower()
    answer = desk.ask(CHAIN, mode="reason", evidence=70)  # which no two facts fit together
    assert len(answer.hops) == 1
    assert answer.status == "not_found"
    assert TEACHER[:-1] in answer.text


def test_where_steps_lead_nowhere_a_plain_search_may_still_answer(desk: Desk) -> None:
    desk.take(400)
    desk.oracle.resolve = lambda finding, question: question
    answer = desk.ask(CHAIN, mode="reason")
    assert (answer.status, answer.mode) == ("found", "retrieve")
    assert {citation.quote for citation in answer.citations} == {TEACHER, TEACHERS_TRADE}


def test_there_are_five_steps_at_most(desk: Desk) -> None:
    said = [
        *links(5)[:-1],
        f"The teacher of {PEOPLE[4]} is {PEOPLE[5]}.",
        f"The trade of {PEOPLE[5]} is potter.",
    ]
    desk.put(chronicle(said, 800))
    answer = desk.ask(question(6))
    assert len(answer.hops) == 5
    assert answer.status == "not_found"
    assert_valid(answer, desk.library)


def test_steps_are_not_shown_as_the_answer(desk: Desk) -> None:
    desk.take(400)
    guesses = iter(["It was somebody else, they say."])
    answered = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: (
        next(guesses, None) or answered(question, parts, on_text)
    )
    desk.ask(CHAIN)
    first_step = desk.events.index(desk.happened(Step)[-1])
    assert not any(isinstance(event, Text | Draft) for event in desk.events[:first_step])


def test_the_quotes_answer_where_the_model_does_not(desk: Desk) -> None:
    desk.take(400)
    answered = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: (
        "Not in the document." if question == CHAIN else answered(question, parts, on_text)
    )
    answer = desk.ask(CHAIN)
    assert answer.status == "found"
    assert [citation.quote for citation in answer.citations] == [TEACHER, TEACHERS_TRADE]


def test_an_answer_that_stops_half_way_is_replaced_by_the_steps(desk: Desk) -> None:
    desk.take(400)
    answered = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: answered(
        question, parts[:-1] if question == CHAIN and len(parts) > 1 else parts
    )
    answer = desk.ask(CHAIN, mode="reason")
    assert answer.status == "found"
    assert [citation.quote for citation in answer.citations] == [TEACHER, TEACHERS_TRADE]
    assert answer.sentences[-1].text == answer.hops[-1].finding
