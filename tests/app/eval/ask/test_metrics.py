"""Judging: what counts as right, as a right citation, as a covered sentence."""

from dataclasses import replace

import pytest

from app.ask.answer import Sentence
from app.eval.ask.metrics import judge
from app.eval.ask.outcome import Outcome
from app.eval.ask.question import Question, Statement
from app.eval.ask.sheet import Asked, Placed
from app.eval.chronicle import RELATIONS, Fact
from tests.app.eval.ask.scripted import citation, cited

CODE, _, TOWN, TRADE = RELATIONS


def placed(fact: Fact, page: int) -> Placed:
    return Placed(
        Statement(f"People say that {fact.answer[0].lower()}{fact.answer[1:]}", 0.0, fact),
        "chronicle.txt",
        page,
    )


RIGHT = placed(Fact(CODE, "Morvan Telun", "12345"), 3)
NEAR = placed(Fact(CODE, "Morvan Kalo", "54321"), 5)
ALL = [RIGHT, NEAR]


def asked(*facts: Placed, expected: tuple[tuple[str, ...], ...] = (("12345",),), text: str = "") -> Asked:
    question = Question(
        "needle",
        text or "What is the secret code of Morvan Telun?",
        expected,
        tuple(fact.statement for fact in facts),
        forbidden=("54321",),
    )
    return Asked("needle/1", question, facts)


SAID = "The secret code of Morvan Telun is 12345."


def test_the_right_value_with_the_right_page_is_right() -> None:
    verdict = judge(asked(RIGHT), cited((SAID, RIGHT)), ALL)
    assert (verdict.right, verdict.text, verdict.page) == (True, True, True)
    assert (verdict.citations, verdict.precise, verdict.sentences, verdict.covered) == (1, 1, 1, 1)


@pytest.mark.parametrize("said", ["It is 123456.", "It is 54321.", "It is 12345 or 54321.", "", "None."])
def test_another_value_is_wrong_even_beside_the_right_one(said: str) -> None:
    assert not judge(asked(RIGHT), cited((said, RIGHT)), ALL).right


def test_a_wrong_page_is_wrong_for_those_who_cite() -> None:
    outcome = replace(cited((SAID, RIGHT)), citations=(citation(RIGHT.statement.sentence, 4),))
    verdict = judge(asked(RIGHT), outcome, ALL)
    assert verdict.text
    assert verdict.page is False
    assert not verdict.right
    assert verdict.precise == 0
    uncited = Outcome(SAID, cites=False)
    assert judge(asked(RIGHT), uncited, ALL).right


def test_a_citation_may_name_the_whole_path_of_its_file() -> None:
    shown = (citation(RIGHT.statement.sentence, 3, name="some/folder/chronicle.txt"),)
    assert judge(asked(RIGHT), replace(cited((SAID, RIGHT)), citations=shown), ALL).page is True


def test_a_citation_of_another_file_is_no_citation_of_this_one() -> None:
    outcome = replace(
        cited((SAID, RIGHT)), citations=(citation(RIGHT.statement.sentence, 3, name="other.txt"),)
    )
    assert judge(asked(RIGHT), outcome, ALL).page is False


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (SAID, NEAR),  # the quote is about somebody else
        ("The secret code of Morvan Telun is 99999.", RIGHT),  # the sentence says something else
        ("The secret code of Morvan Kalo is 12345.", RIGHT),  # the sentence is about somebody else
    ],
)
def test_a_quote_that_does_not_say_what_its_sentence_says_is_imprecise(said: str, shown: Placed) -> None:
    verdict = judge(asked(RIGHT), cited((said, shown)), ALL)
    assert (verdict.citations, verdict.precise) == (1, 0)


def test_a_quote_of_filler_is_imprecise() -> None:
    outcome = replace(cited((SAID, RIGHT)), citations=(citation("At noon the mill was grey and cold.", 3),))
    assert judge(asked(RIGHT), outcome, ALL).precise == 0


def test_sentences_without_a_citation_are_counted_as_uncovered() -> None:
    outcome = cited((SAID, RIGHT))
    more = replace(outcome, sentences=(*outcome.sentences, Sentence("It was written down.", ())))
    verdict = judge(asked(RIGHT), more, ALL)
    assert (verdict.sentences, verdict.covered) == (2, 1)


@pytest.mark.parametrize(
    "said", ["Not in the part that was read.", "Not in the part that was read: Who is the teacher of Ann?"]
)
def test_a_search_that_ran_out_of_time_is_no_false_answer(said: str) -> None:
    assert judge(asked(expected=()), Outcome(said, status="partial"), ALL).false_answer is False
    assert not judge(asked(RIGHT), Outcome(said, status="partial"), ALL).right


def test_not_in_the_document_is_the_right_answer_to_absent_facts_only() -> None:
    nothing = Outcome("The secret code of Morvan Telun is not in the document.")
    absent = asked(expected=())
    verdict = judge(absent, nothing, ALL)
    assert verdict.right
    assert verdict.false_answer is False
    assert (verdict.sentences, verdict.page) == (0, None)
    assert judge(absent, cited((SAID, RIGHT)), ALL).false_answer is True
    verdict = judge(asked(RIGHT), nothing, ALL)
    assert not verdict.right
    assert verdict.false_answer is None


@pytest.mark.parametrize("said", [f"{SAID} Not in the document.", f"Not in the document. {SAID}"])
def test_not_in_the_document_beside_a_claim_is_a_false_answer(said: str) -> None:
    verdict = judge(asked(expected=()), Outcome(said), ALL)
    assert verdict.false_answer is True
    assert not verdict.right


def test_who_lists_everything_is_not_right() -> None:
    other = placed(Fact(CODE, "Cid Dorn", "11111"), 9)
    town = placed(Fact(TOWN, "Cid Dorn", "Ostavi"), 9)
    more = [*ALL, other, town]
    listed = cited((SAID, RIGHT), (other.statement.sentence, other))
    assert not judge(asked(RIGHT), listed, more).text
    beside = cited((SAID, RIGHT), (town.statement.sentence, town))
    assert judge(asked(RIGHT), beside, more).text  # answers another question
    people = asked(town, expected=(("Cid Dorn",),), text="Who are all the people whose home town is Ostavi?")
    assert judge(people, cited((town.statement.sentence, town)), more).right
    assert not judge(people, cited(("Cid Dorn and Morvan Kalo.", town)), more).text


def test_a_sentence_about_a_stranger_is_not_supported_by_a_namesake() -> None:
    absent = asked(expected=(), text="What is the secret code of Velra Telun?")
    said = "The secret code of Velra Telun is 12345."
    assert judge(absent, cited((said, RIGHT)), [RIGHT]).precise == 0


def test_a_sentence_with_another_value_is_not_supported_by_the_name_alone() -> None:
    chain = asked(expected=(("miller",),), text="What is the trade of the teacher of Ann Bell?")
    fact = placed(Fact(TRADE, "Cid Dorn", "miller"), 2)
    for said, precise in (("The trade of Cid Dorn is miller.", 1), ("The trade of Cid Dorn is clerk.", 0)):
        assert judge(chain, cited((said, fact)), [fact]).precise == precise
    who = asked(fact, expected=(("Cid Dorn",),), text="Who grinds grain?")
    clerk = placed(Fact(TRADE, "Eda Finn", "clerk"), 4)
    assert judge(who, cited(("The trade of Cid Dorn is clerk.", fact)), [fact, clerk]).precise == 0


def test_one_of_several_ways_to_answer_suffices() -> None:
    people = [placed(Fact(TOWN, name, "Ostavi"), 1) for name in ("Ann Bell", "Cid Dorn")]
    count = asked(
        *people, expected=(("2",), ("two",), ("Ann Bell", "Cid Dorn")), text="How many from Ostavi?"
    )
    for said, right in (("Two people.", True), ("2 of them.", True), ("Ann Bell and Cid Dorn.", True),
                        ("Ann Bell.", False), ("12 people.", False)):  # fmt: skip
        outcome = Outcome(f"{said[:-1]} [2].", (Sentence(said, ()),))
        assert judge(count, outcome, people).text == right


def test_a_paraphrase_is_supported_by_a_sentence_that_names_the_person() -> None:
    weaver = placed(Fact(TRADE, "Ann Bell", "weaver"), 7)
    question = asked(weaver, expected=(("Ann Bell",),), text="Who makes cloth?")
    assert judge(question, cited(("Ann Bell makes cloth.", weaver)), [weaver, RIGHT]).precise == 1
    assert judge(question, cited(("Somebody makes cloth.", weaver)), [weaver, RIGHT]).precise == 0


def test_a_count_is_supported_by_each_fact_that_is_counted_and_by_no_other() -> None:
    people = [placed(Fact(TOWN, name, "Ostavi"), 1) for name in ("Ann Bell", "Cid Dorn")]
    count = asked(
        *people, expected=(("2",), ("two",), ("Ann Bell", "Cid Dorn")), text="How many from Ostavi?"
    )
    for said, precise in (("2 sentences say so.", 2), ("3 sentences say so.", 0)):
        shown = (citation(people[0].statement.sentence, 1, 1), citation(people[1].statement.sentence, 1, 2))
        outcome = Outcome(said, (Sentence(said, (1, 2)),), shown)
        assert judge(count, outcome, [*people, RIGHT]).precise == precise
    other = Outcome("2 do.", (Sentence("2 do.", (1,)),), (citation(RIGHT.statement.sentence, 3),))
    assert judge(count, other, [*people, RIGHT]).precise == 0
