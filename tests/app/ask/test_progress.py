"""What people see while a question is answered."""

import sys
from dataclasses import replace

import pytest

from app.ask import events
from app.ask.answer import Hop
from app.ask.progress import Progress, escalation_line, working_line
from tests.app.ask.answers import ANSWER, NOT_FOUND

WORKING = events.Working("reading", 212, 1040, "windows", left=190.0, best="letters.txt, page 318")
EVENTS = (
    replace(WORKING, done=1),
    WORKING,
    events.Read(7, 0, 10, 1.5),
    events.Text("The code"),
    events.Step(1, Hop("Who is Ab?", "Ab is a smith.")),
    events.Draft(ANSWER),
    events.Draft(NOT_FOUND),
    events.Escalation("read", "no part says so", 190.0),
    events.Final(ANSWER),
)


def shown(capsys: pytest.CaptureFixture[str], progress: Progress, *happened: events.Event) -> str:
    for event in happened:
        progress.happened(event)
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_the_line_says_how_far_it_is_and_how_to_stop() -> None:
    assert working_line(WORKING, stoppable=True) == (
        "reading 212/1,040 windows | best: letters.txt, page 318 | 3:10 left | Ctrl-C = answer now"
    )
    bare = replace(WORKING, left=None, best="")
    assert working_line(bare, stoppable=False) == "reading 212/1,040 windows"
    opening = events.Working("opening", 2, 9, "files", best="letters.txt")
    assert working_line(opening, stoppable=False) == "opening 2/9 files | letters.txt"
    assert working_line(events.Working("answering", 0, 1, "answers"), stoppable=False) == "answering"


def test_a_level_is_announced_with_its_reason_and_its_time() -> None:
    assert escalation_line(events.Escalation("read", "no part says so", 190.0)) == (
        "no part says so; going on with read, about 3:10 (Ctrl-C = answer now)"
    )
    assert "about" not in escalation_line(events.Escalation("read", "no part says so", None))


def test_a_pipe_gets_steps_and_levels_and_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, Progress(), *EVENTS).splitlines() == [
        "qwen2-ask: step 1: Who is Ab? Ab is a smith.",
        "qwen2-ask: no part says so; going on with read, about 3:10 (Ctrl-C = answer now)",
    ]


def test_a_terminal_gets_one_line_that_replaces_itself_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("app.ask.progress.time.monotonic", iter(range(100)).__next__)
    lines = shown(capsys, Progress(), *EVENTS).split("\r\x1b[K")
    assert lines[1:4] == [
        "reading 1/1,040 windows | best: letters.txt, page 318 | 3:10 left",
        "reading 212/1,040 windows | best: letters.txt, page 318 | 3:10 left",
        "answering: The code",
    ]
    assert "qwen2-ask: so far: The code of Ab is 5. [1]\n" in lines[4]
    assert "Not in the document" not in "".join(lines)
    assert lines[-1].endswith("\n")


def test_a_terminal_is_not_flooded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("app.ask.progress.time.monotonic", lambda: 100.0)
    many = [replace(WORKING, done=done) for done in range(1000)]
    assert shown(capsys, Progress(), *many).count("reading") == 1


def test_nothing_that_is_shown_steers_the_terminal_or_leaves_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    hostile = "x\x1b[2J\r\ny\x9b3J"
    err = shown(
        capsys,
        Progress(),
        replace(WORKING, best=hostile * 50),
        events.Step(1, Hop(hostile, hostile)),
        events.Escalation("read", hostile, None),
        events.Draft(replace(ANSWER, text=hostile)),
    )
    rest = err.replace("\r\x1b[K", "")
    assert not {"\x1b", "\x9b", "\r"} & set(rest)
    assert all(line.startswith(("qwen2-ask: ", "reading")) for line in rest.splitlines())


def test_chinese_does_not_run_over_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    err = shown(capsys, Progress(), events.Text("文" * 200))
    assert 10 <= err.count("文") <= 19
