"""Chains of people: every fact is about whom the one before names, and one alone is asked for."""

from random import Random

import pytest

from app.eval.chronicle import RELATIONS
from app.eval.people import TEACHER, PersonFact, chain, described, plain_question


@pytest.mark.parametrize("hops", [1, 2, 3, 5])
def test_each_fact_of_a_chain_is_about_the_person_before(hops: int) -> None:
    for seed in range(40):
        facts = chain(Random(seed), hops).facts
        assert len(facts) == hops == len({fact.name for fact in facts})
        assert [fact.value for fact in facts[:-1]] == [fact.name for fact in facts[1:]]
        assert all(fact.relation == TEACHER for fact in facts[:-1])
        assert facts[-1].relation in RELATIONS


@pytest.mark.parametrize("hops", [1, 2, 3, 5])
def test_a_chain_names_only_its_first_person(hops: int) -> None:
    for seed in range(40):
        links = chain(Random(seed), hops)
        question = links.question(Random(seed))
        assert [fact.name in question for fact in links.facts] == [True] + [False] * (hops - 1)
        assert question.count(TEACHER.label) == hops - 1
        assert links.facts[-1].relation.label in question


def test_a_chain_is_answered_by_its_facts_in_order() -> None:
    links = chain(Random(1), 3)
    assert links.answer_sentences == [fact.answer for fact in links.facts]
    assert links.answer_sentences[-1].endswith(f" {links.value}.")
    assert [question.split()[0] for question in links.sub_questions] == ["Who", "Who", "What"]
    for fact, question in zip(links.facts, links.sub_questions, strict=True):
        assert fact.name in question
        assert fact.relation.label in question


def test_a_teacher_is_a_person_and_is_asked_for_with_who() -> None:
    fact = PersonFact(TEACHER, "Morvan Telun", TEACHER.value(Random(0)))
    assert len(fact.value.split()) == 2
    questions = {fact.question(Random(seed)) for seed in range(60)}
    assert "Who is the teacher of Morvan Telun?" in questions
    assert not any(question.startswith("What") for question in questions)
    assert plain_question(RELATIONS[3], described("Morvan Telun", 2)) == (
        "What is the trade of the teacher of the teacher of Morvan Telun?"
    )


def test_the_same_seed_draws_the_same_chain() -> None:
    assert chain(Random(3), 4) == chain(Random(3), 4)
    assert chain(Random(3), 4) != chain(Random(4), 4)
