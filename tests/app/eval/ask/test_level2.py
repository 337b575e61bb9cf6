"""The level-2 baseline does what was published: what is read, what is kept, what is searched and asked."""

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from app.ask import prompts
from app.eval.ask.level2.packing import pack
from app.eval.ask.level2.procedure import PASSES, answer, relevant, retrieve
from app.eval.ask.level2.sizes import Sizes
from tests.app.eval.ask.scripted import Voice

QUESTION = "What is the trade of Ann Bell?"
FACT = "The trade of Ann Bell is weaver."
SIZES = Sizes(reading=40, retrieval=20, budget=60, reply=30, overlap=0)
TEXT = "\n".join(
    FACT if number == 33 else f"In the evening the mill number {number} was quiet and grey."
    for number in range(60)
)
JUDGE = '\nReply {"res"'


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def count(text: str) -> int:
    return len(text.split())


def voice(judge: Callable[[str], str], keywords: str = '{"keywords": ["weaver"]}') -> Voice:
    """Judges chunks as told, gives keywords, and answers with what it was given."""

    def say(content: str) -> str:
        if JUDGE in content:
            return judge(content)
        return keywords if '"keywords"' in content else content

    return Voice(say)


def finds(content: str) -> str:
    kept = FACT if FACT in content else ""
    return json.dumps({"res": "ans" if kept else "none", "content": kept})


def kinds(heard: Voice) -> list[str]:
    return [
        "judge" if JUDGE in content else "keywords" if '"keywords"' in content else "answer"
        for content, _ in heard.heard
    ]


def test_every_chunk_is_judged_once_then_keywords_then_one_answer() -> None:
    heard = voice(finds)
    said = answer(heard, words, SIZES, QUESTION, [TEXT])
    chunks = list(pack(TEXT, SIZES.reading, SIZES.overlap, count))
    assert kinds(heard) == ["judge"] * len(chunks) + ["keywords", "answer"]
    assert len(chunks) > 10
    assert FACT in said
    assert count(said) < SIZES.budget + 60


def test_what_was_kept_helps_to_find_keywords_where_it_fits() -> None:
    heard = voice(finds)
    answer(heard, words, SIZES, QUESTION, [TEXT])
    (asked,) = (content for content, _ in heard.heard if '"keywords"' in content)
    assert asked == prompts.level2_keywords(f"{FACT}\n{QUESTION}")


def test_keywords_come_from_the_question_alone_where_too_much_was_kept() -> None:
    heard = voice(lambda content: json.dumps({"res": "ans", "content": f"{FACT} " * 4}))
    said = answer(heard, words, SIZES, QUESTION, [TEXT])
    (asked,) = (content for content, _ in heard.heard if '"keywords"' in content)
    assert asked == prompts.level2_keywords(QUESTION)
    assert FACT in said


def test_what_was_kept_is_searched_for() -> None:
    """The question shares no word with the sentence; only the judge's reply leads to it."""
    heard = voice(finds, keywords="nothing")
    question = "Who makes cloth for a living?"
    assert FACT in answer(heard, words, SIZES, question, [TEXT])
    blind = voice(lambda content: '{"res": "none", "content": ""}', keywords="nothing")
    assert FACT not in answer(blind, words, SIZES, question, [TEXT])


def test_a_reading_without_a_find_is_repeated_three_times_with_other_draws() -> None:
    heard = voice(lambda content: '{"res": "none", "content": ""}')
    answer(heard, words, SIZES, QUESTION, [TEXT])
    judged = [(content, seed) for content, seed in heard.heard if JUDGE in content]
    chunks = len(judged) // PASSES
    assert PASSES == 4
    assert len(judged) == PASSES * chunks
    assert [seed for _, seed in judged[:chunks]] == [None] * chunks
    assert len({seed for _, seed in judged}) == 3 * chunks + 1
    assert {content for content, _ in judged[:chunks]} == {content for content, _ in judged[chunks:]}


def test_a_second_question_reads_everything_again() -> None:
    heard = voice(finds)
    answer(heard, words, SIZES, QUESTION, [TEXT])
    first = heard.usage
    answer(heard, words, SIZES, "What is the trade of Ann Bell, please?", [TEXT])
    assert (heard.usage - first).prefilled >= first.prefilled
    assert (heard.usage - first).reused == 0


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ('{"res": "ans", "content": "A b."}', "A b."),
        ('Sure: {"res": "ans", "content": "A b."} Good luck', "A b."),
        ('{"res": "none", "content": "A b."}', ""),
        ('{"res": "ans", "content": "A b."', "res: ans, content: A b."),
        ('["A b."]', "A b."),
        ("No answer.", "No answer."),
        ('{"res": "ans"}', ""),
        ("", ""),
    ],
)
def test_replies_are_read_as_json_else_kept_without_brackets_and_quotes(reply: str, kept: str) -> None:
    assert relevant(reply) == kept


def test_a_short_text_is_not_searched() -> None:
    heard = voice(finds)
    assert retrieve(heard, words, SIZES, QUESTION, [FACT, "Another text."]) == f"{FACT}\n\nAnother text."


def test_without_a_match_every_file_gives_its_beginning() -> None:
    other = TEXT.replace("mill", "inn")
    text = retrieve(voice(finds), words, SIZES, "zebra", [TEXT, other])
    assert "mill number 0 " in text
    assert "inn number 0 " in text
    assert count(text) <= SIZES.budget


def test_what_is_found_stays_in_document_order_within_the_budget() -> None:
    text = retrieve(voice(finds), words, SIZES, "number 50 number 9 weaver", [TEXT])
    places = [TEXT.index(line) for line in text.split("\n") if line]
    assert places == sorted(places)
    assert FACT in text
    assert "number 50 " in text
    assert count(text) <= SIZES.budget


def test_the_turn_before_reaches_the_answer_but_not_the_search() -> None:
    heard = voice(finds)
    answer(heard, words, SIZES, "And of Cid Dorn?", [TEXT], ("Who?", "Ann."))
    assert [m["content"] for m in heard.conversations[-1][:2]] == ["Who?", "Ann."]
    assert all(len(turns) == 1 for turns in heard.conversations[:-1])


def test_sizes_are_the_published_ones_from_the_length_they_were_published_for() -> None:
    assert Sizes.for_length(32768) == Sizes.for_length(131072) == Sizes(1000, 300, 4500, 512, 150)
    tiny = Sizes.for_length(384)
    assert (tiny.reading, tiny.retrieval, tiny.budget, tiny.reply) == (192, 48, 192, 96)
    assert Sizes.for_length(4096) == Sizes(1000, 300, 2048, 512, 150)


def test_chunks_hold_everything_and_fit() -> None:
    text = "First paragraph of words. It has two sentences.\n\nSecond one.\f" + "long " * 100 + ". End."
    chunks = list(pack(text, 12, 0, count))
    assert all(count(chunk) <= 12 for chunk in chunks)
    assert "".join("".join(chunks).split()) == "".join(text.split())


def test_chunks_repeat_whole_sentences_of_the_one_before() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(20))
    chunks = list(pack(text, 25, 30, count))
    for one, following in pairwise(chunks):
        assert following.split(". ")[0].rstrip(".") in one
