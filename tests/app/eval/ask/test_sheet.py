"""The questions of a document: what stands in it, what does not, and what depends on what."""

import re
from itertools import pairwise

import pytest

from app.eval.ask.question import Question
from app.eval.ask.sheet import Sheet, files_sheet, main_sheet, question_ids
from app.eval.ask.tasks import TASKS
from app.eval.ask.tasks.circumstances import FILES
from app.eval.ask.tasks.lookup import NEAR_MISSES
from app.eval.ask.words import words
from app.eval.people import TEACHER
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

DEPTHS = [0.0, 50.0, 100.0]


@pytest.fixture(params=range(4))
def sheet(small: Tokenizer, request: pytest.FixtureRequest) -> Sheet:
    return main_sheet(small, request.param, 8_192, 0, DEPTHS)


def of_task(sheet: Sheet, task: str) -> list[Question]:
    return [asked.question for asked in sheet.questions if asked.question.task == task]


def test_every_task_is_asked_under_the_ids_that_were_announced(sheet: Sheet) -> None:
    announced = [i for task in TASKS if task != "files" for i in question_ids(task, 8_192, 0, DEPTHS)]
    assert [asked.id for asked in sheet.questions] == announced
    assert len(set(announced)) == len(announced)


def test_every_statement_stands_on_its_page_and_nowhere_else(sheet: Sheet) -> None:
    text = sheet.files[0].text
    pages = text.split("\f")
    for placed in sheet.placed:
        assert text.count(placed.statement.sentence) == 1
        assert placed.statement.sentence in pages[placed.page - 1]
    for asked in sheet.questions:
        assert [p.statement for p in asked.facts] == list(asked.question.facts)


def test_an_absent_fact_is_stated_by_no_sentence(sheet: Sheet) -> None:
    stated = [placed.statement.sentence for placed in sheet.placed]
    for question in of_task(sheet, "absent"):
        match = re.search(
            r"(secret code|birth year|home town|trade).*?([A-Z][a-z]+ [A-Z][a-z]+)", question.text
        )
        assert match, question.text
        assert not any(f"{match[1]} of {match[2]} is" in sentence for sentence in stated)
        assert not question.expected


def test_near_misses_share_the_predicate_and_half_of_them_a_name(sheet: Sheet) -> None:
    (question,) = of_task(sheet, "near-miss")
    (right,) = (s.fact for s in question.facts)
    others = [s.fact for s in question.others]
    assert right
    assert len(others) == NEAR_MISSES == 10
    assert all(o and o.relation == right.relation and o.value != right.value for o in others)
    assert sum(bool(o and set(o.name.split()) & set(right.name.split())) for o in others) == 5


@pytest.mark.parametrize("hops", [2, 3, 4, 5])
def test_a_chain_leads_from_the_name_in_the_question_to_the_answer(sheet: Sheet, hops: int) -> None:
    (question,) = of_task(sheet, f"chain-{hops}")
    facts = [s.fact for s in question.facts if s.fact]
    assert len(facts) == hops
    assert facts[0].name in question.text
    assert all(one.value == following.name for one, following in pairwise(facts))
    assert all(fact.relation == TEACHER for fact in facts[:-1])
    assert question.expected == ((facts[-1].value,),)
    assert not any(fact.name in question.text for fact in facts[1:])


def test_lists_and_counts_have_exactly_the_people_of_the_town(sheet: Sheet) -> None:
    for task in ("list", "count"):
        (question,) = of_task(sheet, task)
        names = question.expected[-1]
        town = next(s.fact.value for s in question.facts if s.fact)
        facts = [p.statement.fact for p in sheet.placed if p.statement.fact]
        assert sorted(names) == sorted(fact.name for fact in facts if fact.value == town)
        if task == "count":
            assert question.expected[0] == (str(len(names)),)


def test_conflicting_statements_are_about_one_person(sheet: Sheet) -> None:
    (question,) = of_task(sheet, "conflict")
    one, other = (s.fact for s in question.facts if s.fact)
    assert (one.name, one.relation) == (other.name, other.relation)
    assert one.value != other.value
    assert question.expected == ((one.value, other.value),)


def test_a_paraphrase_shares_no_content_word_with_its_fact_even_as_a_stem(sheet: Sheet) -> None:
    for question in of_task(sheet, "paraphrase"):
        (statement,) = question.facts
        assert not set(words(question.text)) & set(words(statement.sentence))


def test_content_words_are_compared_by_their_stems() -> None:
    assert words("Who bakes for the bakers?") == words("baked baker")
    assert words("What is it about?") == []


def test_only_one_person_has_the_trade_of_a_paraphrase(sheet: Sheet) -> None:
    facts = [p.statement.fact for p in sheet.placed if p.statement.fact]
    for question in of_task(sheet, "paraphrase"):
        (fact,) = (s.fact for s in question.facts)
        assert fact
        assert [other.name for other in facts if other.value == fact.value] == [fact.name]


def test_orders_stand_right_before_and_after_their_fact(sheet: Sheet) -> None:
    (question,) = of_task(sheet, "injection")
    before, fact, after = (statement.sentence for statement in question.statements)
    assert f"{before} {fact} {after}" in sheet.files[0].text


def test_no_two_people_share_a_name(sheet: Sheet) -> None:
    facts = [p.statement.fact for p in sheet.placed if p.statement.fact]
    (misses,) = of_task(sheet, "near-miss")
    near = {s.fact.name for s in misses.statements if s.fact}
    words = [word for name in {f.name for f in facts} - near for word in name.split()]
    assert len(set(words)) == len(words)


def test_the_answer_of_several_files_stands_in_one_of_them(small: Tokenizer) -> None:
    sheet = files_sheet(small, 0, 12_000, 0)
    assert len(sheet.files) == FILES >= 10
    assert 11_000 < sheet.tokens <= 12_000
    for asked in sheet.questions:
        sentence = asked.question.facts[0].sentence
        assert [file.name for file in sheet.files if sentence in file.text] == [asked.facts[0].file]
        likes = [f.name for f in sheet.files for s in asked.question.others if s.sentence in f.text]
        assert sorted([*likes, asked.facts[0].file]) == sorted(file.name for file in sheet.files)


def test_documents_of_other_repetitions_and_seeds_differ(small: Tokenizer) -> None:
    texts = {
        main_sheet(small, seed, 8_192, repeat, DEPTHS).files[0].text for seed in (0, 1) for repeat in (0, 1)
    }
    assert len(texts) == 4
    assert main_sheet(small, 0, 8_192, 1, DEPTHS) == main_sheet(small, 0, 8_192, 1, DEPTHS)


def test_more_depths_than_trades_is_one_line(small: Tokenizer) -> None:
    with pytest.raises(PromptError, match="fewer depths"):
        main_sheet(small, 0, 8_192, 0, [float(depth) for depth in range(20)])
