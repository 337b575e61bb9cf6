"""qwen2-ask from the command line to the exit code, with scripted answers in place of models."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.ask import events
from app.ask.answer import Answer, Hop
from tests.app.ask.scripted import ScriptedEngine, ended, quoting
from tests.app.programs import Run

ASK = "qwen2-ask"
ANSWER = 'The bridge was closed [1].\n\n[1] letters.txt, page 1: "The bridge was closed."\n'


def test_the_answer_and_its_citations_are_on_stdout_and_nothing_else(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    done = run(ASK, "Was it open?", letters)
    assert (done.code, done.out) == (0, ANSWER)
    assert done.err == "qwen2-ask: verified | retrieve | 10 of 100 tokens read | 0:00\n"


def test_quiet_leaves_stderr_empty(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    scripted.script = ended(warnings=("one thing",))
    done = run(ASK, "-q", "Was it open?", letters, letters.with_name("missing.txt"))
    assert (done.code, done.out, done.err) == (0, ANSWER, "")


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, "verified"),
        ({"status": "not_found", "text": "Not in the document.", "citations": ()}, 3, "not found"),
        ({"status": "unverified", "citations": ()}, 4, "not verified"),
        ({"status": "partial"}, 5, "--max-time ended the search"),
        ({"status": "partial", "sentences": (), "citations": ()}, 5, "--max-time ended the search"),
    ],
)
def test_every_status_has_its_exit_code_with_and_without_json(
    run: Run, scripted: ScriptedEngine, letters: Path, changes: dict[str, Any], code: int, said: str
) -> None:
    scripted.script = ended(**changes)
    done = run(ASK, "Was it open?", letters)
    assert done.code == code
    assert done.err.startswith(f"qwen2-ask: {said}")
    as_json = run(ASK, "--json", "Was it open?", letters)
    assert as_json.code == code
    assert json.loads(as_json.out)["status"] == changes.get("status", "found")
    assert as_json.err.count("\n") == (code == 5)


def test_flags_reach_the_agent(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    run(ASK, "--mode", "read", "--max-time", "90s", "--evidence", "7", "--window", "9", "--pages", "1-2,4",
        "--strict", "--fresh", "Was it open?", letters)  # fmt: skip
    run(ASK, "Was it open?", letters)
    first, second = (call.options for call in scripted.calls)
    assert (first.mode, first.max_time, first.evidence, first.window) == ("read", 90.0, 7, 9)
    assert (first.pages, first.strict, first.fresh) == (((1, 2), (4, 4)), True, True)
    assert (second.mode, second.max_time, second.pages, second.strict) == ("auto", 300.0, (), False)


def test_json_is_one_object_that_names_the_file_and_the_conversation(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    report = json.loads(run(ASK, "--json", "Was it open?", letters).out)
    assert (report["schema_version"], report["model"], report["scout"]) == (1, "scripted", "scout")
    (citation,) = report["citations"]
    assert citation["path"] == str(letters.absolute())
    assert letters.read_text()[citation["char_start"] : citation["char_end"]] == citation["quote"]
    assert len(report["conversation"]) == 8
    assert json.loads(run(ASK, "--json", "--no-history", "Was it open?", letters).out)["conversation"] is None


def everything(question: str, files: Any, library: Any, _: Any) -> Iterator[events.Event]:
    answer: Answer = quoting(question, files, library)
    yield events.Working("reading", 1, 2, "windows", best="letters.txt, page 2")
    yield events.Read(files[0].id, 0, 10, 2.5)
    yield events.Text("The bridge")
    yield events.Step(1, Hop("Which bridge?", "The old one."))
    yield events.Draft(answer)
    yield events.Escalation("read", "no part says so", 12.0)
    yield events.Final(answer)


def test_events_are_json_lines_and_the_only_thing_on_stderr(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    scripted.script = everything
    done = run(ASK, "--events", "Was it open?", letters, letters.with_name("missing.txt"))
    assert done.out == ANSWER
    lines = [json.loads(line) for line in done.err.splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds[-7:] == ["working", "read", "text", "step", "draft", "escalation", "final"]
    assert any(line["event"] == "message" and "missing.txt" in line["text"] for line in lines)
    assert lines[-1]["answer"] == "The bridge was closed [1]."


def test_verbose_shows_scores_and_steps(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    scripted.script = everything
    done = run(ASK, "-v", "Was it open?", letters)
    assert done.out == ANSWER
    assert "qwen2-ask: step 1: Which bridge? The old one.\n" in done.err
    assert "qwen2-ask: so far: The bridge was closed [1].\n" in done.err
    assert "qwen2-ask: score +2.50: letters.txt, page 1\n" in done.err


def test_one_missing_file_among_several_is_a_warning(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    done = run(ASK, "Was it open?", letters.with_name("missing.txt"), letters)
    assert (done.code, done.out) == (0, ANSWER)
    assert "missing.txt" in done.err.splitlines()[0]
    assert scripted.calls[0].files == ("letters.txt",)


def test_a_warning_about_a_file_is_in_the_json_too(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    done = run(ASK, "--json", "Was it open?", letters.with_name("missing.txt"), letters)
    assert any("missing.txt" in warning for warning in json.loads(done.out)["warnings"])


def test_no_file_that_can_be_read_is_an_error(run: Run, scripted: ScriptedEngine, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    run(ASK, "Was it open?", tmp_path / "missing.txt").assert_one_line(1, "missing.txt")
    run(ASK, "Was it open?", tmp_path / "missing.txt", empty).assert_one_line(1, "missing.txt", "1 more")
    assert scripted.calls == []


def test_stdin_is_a_document(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    done = run(ASK, "Was it open?", "-", stdin=b"It snowed. It froze.")
    assert done.out == 'It snowed [1].\n\n[1] stdin, line 1: "It snowed."\n'
    assert run(ASK, "Was it open?", "-", letters, stdin=b"It snowed.").code == 0
    assert scripted.calls[1].files == ("stdin", "letters.txt")
    run(ASK, "Was it open?", "-").assert_one_line(1, "stdin holds no text")


def test_a_follow_up_about_stdin_needs_no_stdin(run: Run, scripted: ScriptedEngine) -> None:
    run(ASK, "Was it open?", "-", stdin=b"It snowed. It froze.")
    assert run(ASK, "-c", "And why?").out.startswith("It snowed [1].")


def test_a_file_given_twice_is_one_document(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    run(ASK, "Was it open?", letters, letters.absolute(), ".")
    assert scripted.calls[0].files == ("letters.txt",)


def test_an_edited_file_is_read_again_and_this_is_said(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    run(ASK, "Was it open?", letters)
    assert "changed" not in run(ASK, "Was it open?", letters).err
    letters.write_text("The bridge was open. Everybody came.")
    done = run(ASK, "Was it open?", letters)
    assert done.out.startswith("The bridge was open [1].\n")
    assert "letters.txt has changed since" in done.err


def test_a_follow_up_is_asked_about_the_same_files_with_the_last_answer(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    run(ASK, "Was it open?", letters)
    assert run(ASK, "-c", "And why?").code == 0
    second = scripted.calls[1]
    assert (second.question, second.files) == ("And why?", ("letters.txt",))
    assert second.previous == ("Was it open?", "The bridge was closed.")


def test_a_follow_up_may_bring_more_files_and_notices_edits(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    run(ASK, "Was it open?", letters)
    letters.write_text("The bridge was open. Everybody came.")
    other = letters.with_name("other.txt")
    other.write_text("It rained. It poured.")
    done = run(ASK, "-c", "And why?", other)
    assert done.out.startswith("The bridge was open [1].\n")
    assert "letters.txt has changed since" in done.err
    assert scripted.calls[1].files == ("letters.txt", "other.txt")


def test_a_follow_up_about_a_file_that_is_gone_uses_the_text_as_it_was(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    run(ASK, "Was it open?", letters)
    letters.unlink()
    done = run(ASK, "-c", "And why?")
    assert (done.code, done.out) == (0, ANSWER)
    assert "using the text as it was" in done.err


def test_a_conversation_is_found_by_its_id(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    first = json.loads(run(ASK, "--json", "Was it open?", letters).out)["conversation"]
    run(ASK, "Another?", letters)
    assert json.loads(run(ASK, "--json", "--cid", first, "And why?").out)["conversation"] == first
    assert scripted.calls[-1].previous == ("Was it open?", "The bridge was closed.")


def test_there_may_be_nothing_to_go_on_with(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    run(ASK, "-c", "And why?").assert_one_line(1, "no conversation to go on with")
    run(ASK, "--no-history", "Was it open?", letters)
    run(ASK, "-c", "And why?").assert_one_line(1, "no conversation to go on with")
    run(ASK, "--cid", "\x1b[2J", "And why?").assert_one_line(1, "there is no conversation")


def test_the_word_library_can_be_a_question(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    assert run(ASK, "--", "library", letters).code == 0
    assert scripted.calls[0].question == "library"
    assert run(ASK, "-q", "library", letters).code == 0
    assert scripted.calls[1].question == "library"


def test_the_library_is_a_subcommand(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    run(ASK, "Was it open?", letters)
    listed = run(ASK, "library", "list")
    assert listed.code == 0
    assert "letters.txt" in listed.out
    run(ASK, "library", "burn").assert_one_line(2, "burn", "qwen2-ask library --help")


def test_another_library_is_another_memory(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    other = letters.with_name("other.db")
    run(ASK, "--library", other, "Was it open?", letters)
    assert other.is_file()
    run(ASK, "-c", "And why?").assert_one_line(1, "no conversation")
    assert run(ASK, "--library", other, "-c", "And why?").code == 0


def test_progress_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    scripted.script = everything
    monkeypatch.setattr("app.ask.progress._SECONDS_BETWEEN", 0)
    assert "reading" not in run(ASK, "Was it open?", letters).err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = run(ASK, "Was it open?", letters).err
    assert "reading 1/2 windows | best: letters.txt, page 2 | Ctrl-C = answer now" in shown
    assert "answering: The bridge" in shown
