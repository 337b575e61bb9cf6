"""Questions about several facts name what they count; follow-ups stand for one plain question."""

from random import Random

import pytest

from app.eval.chronicle import RELATIONS, Fact
from app.eval.people import TEACHER, PersonFact
from app.eval.questions import count_question, follow_up, list_question, overview_question

TRADE = Fact(RELATIONS[3], "Morvan Telun", "weaver")


@pytest.mark.parametrize("ask", [list_question, count_question])
def test_a_question_about_many_names_the_relation_and_the_value(ask) -> None:
    drawn = {ask(Random(seed), RELATIONS[2], "Brinola") for seed in range(40)}
    assert len(drawn) >= 2
    assert all("home town" in question and "Brinola" in question for question in drawn)


def test_counting_and_listing_are_asked_for_in_different_words() -> None:
    lists = {list_question(Random(seed), RELATIONS[2], "Brinola") for seed in range(40)}
    counts = {count_question(Random(seed), RELATIONS[2], "Brinola") for seed in range(40)}
    assert not lists & counts


def test_a_follow_up_may_ask_something_else_about_the_same_person() -> None:
    other = Fact(RELATIONS[2], "Morvan Telun", "Brinola")
    drawn = {follow_up(Random(seed), TRADE, other) for seed in range(40)}
    assert {alone for _, alone in drawn} == {"What is the home town of Morvan Telun?"}
    assert all("home town" in short and "Morvan" not in short for short, _ in drawn)


def test_a_follow_up_may_ask_the_same_about_somebody_else() -> None:
    other = Fact(RELATIONS[3], "Sanin Grelvo", "cook")
    drawn = {follow_up(Random(seed), TRADE, other) for seed in range(40)}
    assert {alone for _, alone in drawn} == {"What is the trade of Sanin Grelvo?"}
    assert all("Sanin Grelvo" in short and "trade" not in short for short, _ in drawn)


def test_a_follow_up_about_a_teacher_asks_who() -> None:
    other = PersonFact(TEACHER, "Morvan Telun", "Sanin Grelvo")
    assert follow_up(Random(0), TRADE, other)[1] == "Who is the teacher of Morvan Telun?"


@pytest.mark.parametrize("other", [TRADE, Fact(RELATIONS[0], "Sanin Grelvo", "12345")])
def test_a_follow_up_that_leans_on_nothing_is_refused(other: Fact) -> None:
    with pytest.raises(ValueError, match="either the person or the relation"):
        follow_up(Random(0), TRADE, other)


def test_questions_about_the_whole_text_name_no_fact() -> None:
    for seed in range(40):
        assert not any(relation.label in overview_question(Random(seed)) for relation in RELATIONS)
