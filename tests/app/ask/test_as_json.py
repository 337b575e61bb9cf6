"""The JSON output: its fields, and that the page about it names every one."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.ask import events
from app.ask.answer import Hop
from app.ask.as_json import SCHEMA_VERSION, Context, answer_json, dumps, event_json
from app.ask.documents.document import Place
from tests.app.ask.answers import ANSWER, CITATION, FILE, NOT_FOUND, TEXT, Shelf

SHELF: Any = Shelf()
CONTEXT = Context(SHELF, "tiny", "tiny", 1.23456, ("a warning",), "1a2b3c4d")
PAGE = (Path(__file__).parents[3] / "docs/documents.md").read_text(encoding="utf-8")


def test_the_first_version_of_the_schema_is_kept() -> None:
    """Whoever reads this output relies on all of it: a field may come, none may change or go."""
    assert SCHEMA_VERSION == 1
    where = {"file": "report.pdf", "path": "/papers/report.pdf", "sha256": FILE.sha256}
    assert answer_json(ANSWER, CONTEXT) == {
        "schema_version": 1,
        "question": "And the code?",
        "standalone_question": "What is the code of Ab?",
        "status": "found",
        "answer": "The code of Ab is 5. [1]",
        "sentences": [{"text": "The code of Ab is 5.", "citations": [1]}],
        "citations": [
            {
                "id": 1,
                **where,
                "char_start": 23,
                "char_end": 43,
                "place": "page 318 (xii)",
                "unit": "page",
                "page_index": 317,
                "page_label": "xii",
                "line": 2,
                "quote": "The code of Ab is 5.",
                "verified": True,
                "match": "exact",
                "match_score": 100.0,
            }
        ],
        "dropped": 1,
        "evidence": [
            {**where, "char_start": 0, "char_end": 43, "place": "page 318 (xii)", "text": TEXT[:43]}
        ],
        "mode": "retrieve",
        "hops": [{"question": "Who is Ab?", "finding": ""}],
        "escalations": ["nothing said so"],
        "coverage": {"tokens_total": 1040, "tokens_read": 212, "windows": 40, "windows_read": 3},
        "tokens": {"prefilled": 300, "reused": 20, "generated": 9},
        "timings": {"search": 0.123, "total": 1.235},
        "model": "tiny",
        "scout": "tiny",
        "conversation": "1a2b3c4d",
        "warnings": ["a warning", "one thing"],
    }


def test_a_text_without_pages_has_a_line_and_no_page() -> None:
    on_a_line = replace(CITATION, place=Place("line", 1, "", 2))
    (citation,) = answer_json(replace(ANSWER, citations=(on_a_line,)), CONTEXT)["citations"]
    assert (citation["unit"], citation["page_index"], citation["line"]) == ("line", None, 2)


def fields(value: Any) -> set[str]:
    """All names in nested objects."""
    if isinstance(value, dict):
        return set(value).union(*map(fields, value.values()))
    return set().union(*map(fields, value)) if isinstance(value, list) else set()


EVENTS = (
    events.Working("reading", 1, 2, "windows", 3.0, "best"),
    events.Read(7, 0, 10, 1.5),
    events.Text("The"),
    events.Step(1, Hop("Who?", "Ab.")),
    events.Escalation("read", "why", None),
    events.Draft(NOT_FOUND),
    events.Final(ANSWER),
)


def test_the_page_names_every_field_of_answers_and_events() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert fields(answer_json(ANSWER, CONTEXT)) - {"search"} <= named
    for event in EVENTS:
        line = event_json(event, SHELF)
        assert line["event"] in named
        assert fields(line) <= named


def test_every_status_is_explained() -> None:
    for status in ("found", "unverified", "not_found", "partial"):
        assert f"`{status}`" in PAGE


@pytest.mark.parametrize("indent", [None, 2])
def test_no_control_character_is_printed_and_none_is_lost(indent: int | None) -> None:
    controls = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) + "\u2028é中"
    text = dumps({"text": controls}, indent)
    assert not {letter for letter in text if ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0} - {"\n"}
    assert json.loads(text) == {"text": controls}
