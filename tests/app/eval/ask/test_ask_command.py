"""`qwen2-eval ask` as people run it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.eval.ask import levels
from app.eval.ask.outcome import Outcome
from tests.app.eval.ask.scripted import Script
from tests.app.programs import Run

SMALL = [
    "ask",
    "--lengths",
    "2500",
    "--depths",
    "0,100",
    "--levels",
    "retrieve,auto",
    "--tasks",
    "needle,absent",
]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Contestants that find nothing, in place of models."""
    script = Script(lambda question, text, previous: Outcome("Not in the document.", status="not_found"))
    monkeypatch.setattr(
        levels, "open_contestant", lambda level, setup, place, share: script.open(level, place, share)
    )
    return script


def test_a_run_is_reported_and_asks_nothing_twice(run: Run, tmp_path: Path, script: Script) -> None:
    done = run("qwen2-eval", *SMALL, "--out", tmp_path, "--json", "-v")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [(t["level"], t["questions"], t["accuracy"], t["false_answers"]) for t in report["totals"]] == [
        ("retrieve", 4, 0.0, 0.0), ("auto", 4, 0.0, 0.0)]  # fmt: skip
    assert report == json.loads((tmp_path / "results.json").read_text())
    ElementTree.parse(tmp_path / "needle.svg")
    assert "said:  Not in the document." in done.err
    assert len(script.asked) == 8
    again = run("qwen2-eval", *SMALL, "--out", tmp_path)
    assert again.code == 0
    assert len(script.asked) == 8
    assert "retrieve, right answers in percent" in again.out


@pytest.mark.parametrize("changes", [["--depths", "50"], ["--max-time", "1m"], ["--seed", "1"]])
def test_a_folder_of_other_settings_is_one_line(
    run: Run, tmp_path: Path, script: Script, changes: list[str]
) -> None:
    assert run("qwen2-eval", *SMALL, "--out", tmp_path).code == 0
    run("qwen2-eval", *SMALL, "--out", tmp_path, *changes).assert_one_line(1, "other settings", "--fresh")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (["--levels", "auto,best"], 2, ["--levels", "best", "level2"]),
        (["--tasks", "poetry"], 2, ["--tasks", "poetry", "chain-5"]),
        (["--lengths", "ten"], 2, ["--lengths"]),
        (["--max-time", "soon"], 2, ["--max-time"]),
        (["--lengths", "300"], 1, ["too short", "facts"]),
        (["-m", "missing/folder"], 1, ["missing"]),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    run: Run, tmp_path: Path, script: Script, changes: list[str], code: int, words: list[str]
) -> None:
    done = run("qwen2-eval", *SMALL, "--out", tmp_path, *changes)
    assert done.code == code, done
    assert not done.out
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err.splitlines()[-1]
