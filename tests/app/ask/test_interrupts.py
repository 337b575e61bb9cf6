"""Ctrl-C while documents are read and a question is answered."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.ask.events import Event, Final, Working
from app.ask.library import File, Library
from tests.app.ask.scripted import Script, ScriptedEngine, quoting
from tests.app.programs import ROOT, Run

ASK = "qwen2-ask"


def interrupted(times: int, **changes: object) -> Script:
    """The script of a search in which Ctrl-C is pressed so often; it heeds the first as agents do."""

    def script(
        question: str, files: Sequence[File], library: Library, stopped: Callable[[], bool]
    ) -> Iterator[Event]:
        answer = quoting(question, files, library)
        yield Working("reading", 1, 9, "windows")
        try:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
                assert stopped()
        except KeyboardInterrupt:
            pass
        yield Final(replace(answer, status="partial", **changes))  # type: ignore[arg-type]

    return script


def test_ctrl_c_gives_the_best_so_far(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    scripted.script = interrupted(1)
    done = run(ASK, "Was it open?", letters)
    assert done.code == 5
    assert done.out.startswith("The bridge was closed [1].\n")
    assert "stopping with what was found so far; Ctrl-C again quits" in done.err
    assert "--max-time" not in done.err


@pytest.mark.parametrize(
    "changes",
    [
        {"sentences": (), "citations": (), "text": "Not in the part that was read."},
        {"citations": (), "text": "The hour is not in the document."},
    ],
)
def test_ctrl_c_before_anything_was_found_says_how_to_go_on(
    run: Run, scripted: ScriptedEngine, letters: Path, changes: dict[str, object]
) -> None:
    scripted.script = interrupted(1, **changes)
    done = run(ASK, "Was it open?", letters)
    assert (done.code, done.out) == (130, "")
    assert "before anything was found; the same command goes on from there" in done.err


def test_ctrl_c_writes_no_plain_line_among_events(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    scripted.script = interrupted(1)
    done = run(ASK, "--events", "Was it open?", letters)
    assert done.code == 5
    assert all(json.loads(line)["event"] for line in done.err.splitlines())


def test_a_second_ctrl_c_quits_whatever_there_is(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    scripted.script = interrupted(2)
    done = run(ASK, "Was it open?", letters)
    assert (done.code, done.out) == (130, "")
    assert "what was read is kept, and the same command goes on from there" in done.err
    assert "Traceback" not in done.err


def test_after_an_answer_ctrl_c_is_what_it_was(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    scripted.script = interrupted(1)
    run(ASK, "Was it open?", letters)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interactive_session_survives_one_ctrl_c_and_ends_at_the_second(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    scripted.script = interrupted(1)
    done = run(ASK, "-i", letters, stdin=b"Was it open?\n/mode\n")
    assert done.code == 0
    assert done.out.endswith("mode: auto\n")
    scripted.script = interrupted(2)
    done = run(ASK, "-i", letters, stdin=b"Was it open?\n/mode\n")
    assert done.code == 0
    assert done.out.endswith("Ctrl-C again, or /quit, ends\nmode: auto\n")


# With a real model, in a real process.


@pytest.fixture
def long_text(tmp_path: Path) -> Path:
    """A text that the bundled model reads for many seconds, and that does not hold what is asked for."""
    path = tmp_path / "long.txt"
    path.write_text("\n".join(f"The harbour of year {year} was cold and quiet." for year in range(6000)))
    return path


def start(*words: object) -> subprocess.Popen[str]:
    """A search that reads everything and writes its events to stderr."""
    code = "import sys; from app.ask.command import main; sys.exit(main())"
    flags = ["--events", "--json", "--mode", "read", "--max-time", "none"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *flags, *map(str, words)],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_reading(process: subprocess.Popen[str], windows: int) -> list[dict]:
    """The events up to the score of so many windows."""
    assert process.stderr is not None
    events = []
    for line in process.stderr:
        events.append(json.loads(line))
        if sum(event["event"] == "read" for event in events) >= windows:
            return events
    raise AssertionError(events)


def test_a_stopped_reading_answers_and_the_next_one_goes_on(long_text: Path) -> None:
    question = "What is the trade of Morvan Telun?"
    process = start(question, long_text)
    wait_for_reading(process, 5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (5, 130)
    first = json.loads(out)
    assert first["status"] == "partial"
    read = first["coverage"]["windows_read"]
    assert 5 <= read < first["coverage"]["windows"]

    again = start(question, long_text)
    wait_for_reading(again, read)
    again.send_signal(signal.SIGINT)
    out, _ = again.communicate(timeout=60)
    second = json.loads(out)
    new = second["coverage"]["windows_read"] - read
    a_window = first["tokens"]["prefilled"] / read
    assert new >= 0
    assert second["tokens"]["prefilled"] <= (new + 1) * a_window, "what had been read was read again"
