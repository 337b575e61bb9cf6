"""An answer as people see it."""

import sys
from dataclasses import replace
from typing import Any

import pytest

from app.ask import display
from app.ask.documents.document import Place
from app.ask.events import Read
from tests.app.ask.answers import ANSWER, CITATION, NOT_FOUND, Shelf

SHELF: Any = Shelf()


@pytest.mark.parametrize(
    ("cite", "lines"),
    [
        ("quote", ["The code of Ab is 5. [1]", "", '[1] report.pdf, page 318 (xii): "The code of Ab is 5."']),
        ("page", ["The code of Ab is 5. [1]", "", "[1] report.pdf, page 318 (xii)"]),
        ("none", ["The code of Ab is 5."]),
    ],
)
def test_citations_stand_below_the_answer_as_asked_for(cite: str, lines: list[str]) -> None:
    assert list(display.answer_lines(ANSWER, cite)) == lines


def test_an_answer_without_citations_is_the_answer_alone() -> None:
    assert list(display.answer_lines(NOT_FOUND, "quote")) == ["Not in the document."]


def test_nothing_from_a_document_can_begin_a_line_or_steer_the_terminal() -> None:
    hostile = replace(
        CITATION,
        name="a\n[2] forged.txt\x1b[31m",
        place=Place("page", 1, "x\r\nforged", 1),
        quote="one\n\nforged \x9b2Jtwo",
    )
    answer = replace(ANSWER, text="It is \x1b]0;five\x075. [1]", citations=(hostile,))
    assert list(display.answer_lines(answer, "quote")) == [
        "It is ]0;five5. [1]",
        "",
        '[1] a [2] forged.txt[31m, page 1 (x forged): "one forged 2Jtwo"',
    ]


def test_a_long_quote_is_shortened() -> None:
    line = display.citation_line(replace(CITATION, quote="word " * 500))
    assert line.endswith('word…"')
    assert len(line) < 250


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), (None, "")])
def test_only_a_terminal_that_wants_it_gets_dim_citations(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, value: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in "".join(display.answer_lines(ANSWER, "quote"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    if variable:
        monkeypatch.setenv(variable, value)
    assert ("\x1b[2m" in "".join(display.answer_lines(ANSWER, "quote"))) == (variable is None)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            ANSWER,
            "verified | 1 unsupported quote left out | retrieve | 212 of 1,040 tokens read (3 of 40 windows)"
            " | 1:05",
        ),
        (NOT_FOUND, "not found | retrieve | 212 of 1,040 tokens read (3 of 40 windows) | 1:05"),
        (
            replace(NOT_FOUND, status="unverified", coverage=replace(ANSWER.coverage, windows=0)),
            "not verified: check it | retrieve | 212 of 1,040 tokens read | 1:05",
        ),
    ],
)
def test_the_summary_says_what_the_answer_rests_on(answer: Any, line: str) -> None:
    assert display.summary(answer, 65.2) == line


def test_evidence_comes_with_its_place_and_the_best_scores_first() -> None:
    reads = [Read(7, 0, 9, float(score)) for score in range(20)]
    lines = list(display.evidence_lines(ANSWER, SHELF, reads))
    assert lines[0] == "evidence: report.pdf, page 318 (xii): The bridge was closed. The code of Ab is 5."
    assert [line.split()[1] for line in lines[1:-1]] == [f"+{score}.00:" for score in range(19, 9, -1)]
    assert lines[-1] == "escalated: nothing said so"


def test_an_opened_citation_shows_its_surroundings_with_the_cited_line_marked() -> None:
    assert list(display.page_lines(CITATION, SHELF)) == [
        "report.pdf, page 318 (xii)",
        "  The bridge was closed.",
        "> The code of Ab is 5.",
        "  Nobody asked why.",
    ]


def test_a_saved_conversation_holds_questions_answers_and_citations() -> None:
    assert display.as_markdown([ANSWER, NOT_FOUND]) == (
        "## And the code?\n\nThe code of Ab is 5. [1]\n\n"
        '- [1] report.pdf, page 318 (xii): "The code of Ab is 5."\n\n'
        "## And the code?\n\nNot in the document.\n"
    )
