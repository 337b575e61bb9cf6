"""The report: shares and means of known answers, in text, JSON, CSV and pictures."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.eval.ask.report import AskReport, totals
from app.eval.ask.run import Result


def result(level: str, task: str, score: float, **changes: object) -> Result:
    known: dict[str, object] = {
        "mode": level, "id": f"{task}/{score}", "task": task, "length": 8192, "depth": None, "score": score,
        "question": "Who?", "expected": ["Ann"], "answer": "Ann.", "status": "found", "text_right": True,
        "page_right": score == 100, "false_answer": None, "citations": 2, "precise": 1, "sentences": 4,
        "covered": 3, "dropped": 1, "prefilled": 80, "reused": 10, "generated": 5, "read": 100,
        "tokens": 8000, "seconds": 0.5, "peak_memory": 10**8, "pages": [3], "cited_pages": [3], "trail": [],
    }  # fmt: skip
    return Result(**{**known, **changes})  # type: ignore[arg-type]


RESULTS = [
    result("auto", "needle", 100.0, depth=0.0),
    result("auto", "needle", 0.0, depth=50.0),
    result("auto", "absent", 100.0, false_answer=False, citations=0, precise=0, sentences=0, covered=0),
    result("auto", "absent", 0.0, false_answer=True, prefilled=160),
    result("level2", "needle", 100.0, depth=0.0, citations=0, precise=0, covered=0, page_right=None,
           prefilled=12_000),
]  # fmt: skip


def test_totals_are_shares_of_what_they_are_about() -> None:
    one = totals("auto", RESULTS[:4])
    assert (one.questions, one.accuracy, one.text, one.false_answers) == (4, 50.0, 100.0, 50.0)
    assert (one.precision, one.coverage, one.dropped) == (50.0, 75.0, 4)
    assert (one.prefilled, one.prefilled_share) == (100.0, 1.25)
    other = totals("level2", RESULTS[4:])
    assert (other.precision, other.coverage, other.false_answers) == (None, 0.0, None)
    assert other.prefilled_share == 150.0


def test_the_report_says_the_same_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = AskReport({"model": "tiny", "task": "ask"}, RESULTS)
    report.write(tmp_path)
    text = report.as_text()
    assert "auto, right answers in percent" in text
    assert any(line.split()[:5] == ["auto", "8,192", "4", "50.0", "100.0"] for line in text.splitlines())
    assert json.loads((tmp_path / "results.json").read_text()) == report.as_dict()
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["mode"] for row in rows] == ["auto"] * 4 + ["level2"]
    for name in ("ask.svg", "needle.svg"):
        ElementTree.parse(tmp_path / name)
    assert not (tmp_path / "absent.svg").exists()
    cells = {(c["level"], c["row"]): c["score"] for c in report.as_dict()["cells"]}
    assert cells["auto", "needle"] == 50.0
    assert cells["level2", "needle"] == 100.0


def test_nothing_finished_is_no_error(tmp_path: Path) -> None:
    report = AskReport({"model": "tiny", "task": "ask"}, [])
    report.write(tmp_path)
    assert report.as_dict()["totals"] == []
    assert not list(tmp_path.iterdir())
