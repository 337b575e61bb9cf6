"""Statements are located in the text at its own characters."""

import pytest

from app.ask.normal import normal
from app.ask.passage import Passage
from app.ask.quotes import LEAST_SIMILAR, locate, locate_exact, locate_similar

TEXT = (
    "Intro. As the records show, the secret\ncode of Morvan Telun is 42,000. It was “cold” — very cold.\n"
    "The infor-\nmation desk is well-known for its ﬁne maps. The 1.425 km were long. Over."
)
PASSAGE = Passage(7, 1000, 1000 + len(TEXT), TEXT)


@pytest.mark.parametrize(
    ("statement", "quote"),
    [
        ("The secret code of Morvan Telun is 42,000.", "the secret\ncode of Morvan Telun is 42,000."),
        ('It was "cold" - very cold', "It was “cold” — very cold."),
        ("the information desk is well-known", "The infor-\nmation desk is well-known"),
        ("well-known for its fine maps.", "well-known for its ﬁne maps."),
        ("very cold", "It was “cold” — very cold."),
    ],
)
def test_a_statement_is_found_whatever_the_typography(statement: str, quote: str) -> None:
    found = locate(statement, PASSAGE)
    assert found is not None
    assert found.match == "exact"
    assert found.passage.text == quote
    assert TEXT[found.passage.start - 1000 : found.passage.end - 1000] == quote
    assert found.passage.file == 7


@pytest.mark.parametrize(
    "statement", ["42", "elun is 42,000", "425 km were long", "000", "code of Morvan Tel", ""]
)
def test_pieces_of_words_and_numbers_are_not_found(statement: str) -> None:
    assert locate_exact(statement, PASSAGE) is None


def test_a_whole_number_and_a_chinese_word_are_found() -> None:
    assert locate_exact("1.425", PASSAGE) is not None
    text = "他的编号是四十二号。另一个不是。"
    found = locate_exact("编号是四十二", Passage(1, 0, len(text), text))
    assert found is not None
    assert found.passage.text == "他的编号是四十二号。"


def test_a_statement_with_a_slip_is_found_as_whole_sentences() -> None:
    found = locate("the secret code of Morvan Telum is 42,000", PASSAGE)
    assert found is not None
    assert (found.match, found.passage.text) == (
        "fuzzy",
        "As the records show, the secret\ncode of Morvan Telun is 42,000.",
    )
    assert LEAST_SIMILAR <= found.score < 100


@pytest.mark.parametrize(
    "statement",
    ["The mayor repaired a boat near the narrow bridge.", "very colt", PASSAGE.text + " and more"],
)
def test_what_is_not_said_is_not_found(statement: str) -> None:
    assert locate_similar(statement, PASSAGE) is None


def test_the_normal_form_knows_where_its_characters_came_from() -> None:
    text = "A  ﬁne\u00ad day -\n x-\n  ray"
    form = normal(text)
    assert form.text == "a fine day - xray"
    assert len(form.origin) == len(form.text)
    assert [text[at].casefold() for at in form.origin if text[at].isalnum() and text[at] != "ﬁ"] == list(
        "anedayxray"
    )
    assert form.span(2, 4) == (3, 4)  # both letters of the ligature are one character
