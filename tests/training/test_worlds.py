"""Questions about a world of facts are answered by exactly the facts that answer them."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest

from app.ask.prompts import NOT_FOUND
from app.eval.chronicle import Fact
from app.eval.people import TEACHER
from training.worlds import Asked, absent, ask, invent_world, similar_name


def asked(kind: str, present: float = 0.7) -> Iterator[tuple[list[Fact], Asked]]:
    for seed in range(300):
        rng = Random(seed)
        facts = invent_world(rng, rng.randint(0, 9))
        yield facts, ask(rng, facts, kind, present)


def test_a_world_has_as_many_facts_as_were_asked_for() -> None:
    for seed in range(100):
        for count in (0, 1, 2, 5, 9):
            assert len(invent_world(Random(seed), count)) == count


def test_an_absent_fact_is_stated_by_none() -> None:
    near = 0
    for seed in range(300):
        rng = Random(seed)
        facts = invent_world(rng, rng.randint(0, 9))
        missing = absent(rng, facts)
        assert not any((f.name, f.relation) == (missing.name, missing.relation) for f in facts)
        words = {word for fact in facts for word in f"{fact.name} {fact.value}".split()}
        near += bool(words & set(missing.name.split()))
    assert near > 100


def test_a_lookup_finds_every_fact_about_that_person_and_relation() -> None:
    found = Counter()
    for facts, question in asked("lookup"):
        answers = [facts[i] for i in question.found]
        found[len(answers)] += 1
        for fact in facts:
            asks_for_it = fact.name in question.text and fact.relation.label in question.text
            assert asks_for_it == (fact in answers)
        assert bool(answers) != bool(question.rest)
    assert found[0] > 60
    assert found[1] > 120
    assert found[2] > 2  # contradictions


@pytest.mark.parametrize("kind", ["paraphrase", "list"])
def test_facts_that_share_what_is_asked_for_are_found_together(kind: str) -> None:
    several = 0
    for facts, question in asked(kind):
        answers = [facts[i] for i in question.found]
        several += len(answers) > 1
        if len(answers) > 1 and "teacher" not in question.text:
            assert len({fact.relation for fact in answers}) == 1
        if not answers:
            assert question.rest == NOT_FOUND or " is not in the document." in question.rest
    assert several > 10


def test_a_chain_is_followed_link_by_link() -> None:
    whole = broken = 0
    for facts, question in asked("chain"):
        path = [facts[i] for i in question.found]
        links = question.text.count(f"the {TEACHER.label} of") - question.text.startswith("Who is")
        if not links or question.text.startswith(("Who", "Which")):
            continue  # a lookup, where no chain was to be had
        assert all(a.value == b.name for a, b in pairwise(path))
        assert not path or path[0].name in question.text
        whole += not question.rest
        broken += bool(path) and bool(question.rest)
        if question.rest and path:
            assert question.rest.endswith(f" of {path[-1].value} is not in the document.")
    assert whole > 20
    assert broken > 20


def test_a_similar_name_keeps_one_of_two_words() -> None:
    for seed in range(100):
        shared = set(similar_name(Random(seed), "Morvan Telun").split()) & {"Morvan", "Telun"}
        assert len(shared) == 1
