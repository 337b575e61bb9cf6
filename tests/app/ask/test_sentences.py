"""Where sentences begin and end."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.sentences import LONGEST, around, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["It costs 3.5 dollars.", "He left!", "Why?", "Nobody knew."],
        ["Dr. Smith met J. K. Telun, i.e. the mayor, on p. 12 of No. 4.", "They talked."],
        ["She wrote letters, maps, etc.", "He did not."],
        ['"Why?" she asked.', "He said nothing..."],
        ["(It was cold.)", "“Warm,” she said.", "The end"],
        ["第一句。", "第二句！", "「第三句。」", "第四句？", "完"],
    ],
)
def test_sentences_of_one_line(expected: list[str]) -> None:
    assert cut(" ".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "A line of the report that is wrapped where it was full because of\nMorvan Telun. Next.",
            ["A line of the report that is wrapped where it was full because of\nMorvan Telun.", "Next."],
        ),
        ("the secret code of\nMorvan Telun", ["the secret code of\nMorvan Telun"]),
        ("Narrow columns wrap\nsooner than this.", ["Narrow columns wrap\nsooner than this."]),
        ("A heading\nThe text begins.", ["A heading", "The text begins."]),
        ("# A very long heading that is no shorter than a line\nText", None),
        ("One\n\nTwo\n \n Three", ["One", "Two", "Three"]),
        ("- one\n- two\n* three\n1. four\n2) five", None),
        ("name: Ada; born: 1815\nname: Bob; born: 1816", None),
        ("1. First. Second.", ["1. First.", "Second."]),
    ],
)
def test_line_breaks_count_unless_a_paragraph_is_wrapped(text: str, expected: list[str] | None) -> None:
    assert cut(text) == (expected or text.split("\n"))


@given(st.text(alphabet="aB1. \n。,-!?”)*:", max_size=80))
def test_sentences_are_in_order_and_leave_out_white_space_alone(text: str) -> None:
    spans = sentences(text)
    rest, at = "", 0
    for start, end in spans:
        assert at <= start < end
        rest += text[at:start]
        at = end
    assert not (rest + text[at:]).strip()


def test_a_text_without_sentence_ends_comes_in_pieces() -> None:
    pieces = cut("word " * 2000)
    assert max(map(len, pieces)) <= LONGEST
    assert "".join(piece + " " for piece in pieces) == "word " * 2000
    assert max(map(len, cut("x" * 5000))) <= LONGEST


@pytest.mark.parametrize(
    "text",
    ["." * 10**5 + "x", "! " * 10**5, " " * 10**6, "\n" * 10**6, "1. " * 10**4, "x" * 10**6, "ab\n" * 10**5],
)
def test_strange_texts_take_no_longer_than_others(text: str) -> None:
    started = time.process_time()
    sentences(text)
    assert time.process_time() - started < 5


def test_a_span_is_widened_to_the_sentences_that_it_touches() -> None:
    spans = sentences("One two. Three four. Five six.")
    assert around(spans, 4, 6) == (0, 8)
    assert around(spans, 6, 12) == (0, 20)
