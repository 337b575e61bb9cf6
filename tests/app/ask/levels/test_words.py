"""Words of a question that a search can use."""

import pytest

from app.ask.levels.words import counts, question_words, same_question


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the trade of Morvan Telun?", ["trade", "Morvan", "Telun", "Morvan Telun"]),
        ("Tell me the secret code!", ["secret", "code", "secret code"]),
        ("who is it", []),
        ("莫凡的职业是什么？", ["莫凡", "凡的", "的职", "职业", "业是"]),
        ("MLX 的 version 2.1 release-notes", ["MLX", "的", "version", "2.1", "release-notes",
         "version 2.1", "2.1 release-notes"]),
    ],
)  # fmt: skip
def test_words_that_name_something_are_kept_in_order(question: str, words: list[str]) -> None:
    assert question_words(question) == words


@pytest.mark.parametrize(
    ("question", "asks_how_many"),
    [
        ("How many people have the trade potter?", True),
        ("Count the people whose trade is potter.", True),
        ("What number of bells rang?", True),
        ("有多少人是面包师？", True),
        ("Which county is it?", False),
        ("Who are all the people?", False),
    ],
)
def test_questions_for_a_count_are_told_from_others(question: str, asks_how_many: bool) -> None:
    assert counts(question) == asks_how_many


def test_questions_are_equal_whatever_their_case_and_punctuation() -> None:
    assert same_question("Who is  Ada Bo?", "who is Ada Bo")
    assert not same_question("Who is Ada Bo?", "Who is Ada Bol?")
