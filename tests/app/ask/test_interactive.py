"""qwen2-ask -i: what each command shows, and how it ends."""

from pathlib import Path

import pytest

from tests.app.ask.scripted import ScriptedEngine
from tests.app.ask.test_command import everything
from tests.app.programs import Outcome, Run

START = "1 document; /help lists the commands\n"
ANSWER = (
    'The bridge was closed [1].\n\n[1] letters.txt, page 1: "The bridge was closed."\n'
    "verified | retrieve | 10 of 100 tokens read | 0:00\n"
)


@pytest.fixture
def talk(run: Run, scripted: ScriptedEngine, letters: Path):
    """Runs a session of these lines about the letters."""

    def talk_about(*lines: str) -> Outcome:
        done = run("qwen2-ask", "-i", letters, stdin="".join(f"{line}\n" for line in lines).encode())
        assert done.out.startswith(START)
        return Outcome(done.code, done.out[len(START) :], done.err)

    return talk_about


def test_questions_are_answered_until_the_end_of_stdin(talk) -> None:
    assert talk("Was it open?", "", "Why?") == Outcome(0, ANSWER * 2, "")


def test_quit_ends(talk) -> None:
    assert talk("/quit", "Why?").out == ""


def test_a_question_follows_on_the_one_before(talk, scripted: ScriptedEngine) -> None:
    talk("Was it open?", "Why?")
    assert [call.previous for call in scripted.calls] == [None, ("Was it open?", "The bridge was closed.")]


def test_the_mode_is_shown_and_set(talk, scripted: ScriptedEngine) -> None:
    done = talk("/mode", "/mode read", "Why?", "/mode fast")
    assert done.out.startswith("mode: auto\nmode: read\n")
    assert done.out.endswith(
        "there is no mode 'fast'; there are auto, whole, retrieve, read, reason, digest\n"
    )
    assert scripted.calls[0].options.mode == "read"


def test_sources_lists_documents_and_citations(talk) -> None:
    done = talk("/sources", "Why?", "/sources")
    line = "letters.txt  text, 68 characters\n"
    assert done.out == line + ANSWER + line + '[1] letters.txt, page 1: "The bridge was closed."\n'


def test_open_shows_where_a_quote_stands(talk) -> None:
    done = talk("/open 1", "Why?", "/open 1", "/open 2", "/open")
    assert done.out.startswith("nothing was asked yet\n" + ANSWER)
    rest = done.out.split(ANSWER)[1].splitlines()
    assert rest[:2] == ["letters.txt, page 1", "> The bridge was closed. Nobody came."]
    assert rest[-2:] == [
        "there is no citation 2; /sources lists them",
        "there is no citation without a number; /sources lists them",
    ]


def test_a_document_can_be_added(talk, scripted: ScriptedEngine, letters: Path) -> None:
    letters.with_name("other.txt").write_text("It rained. It poured.")
    done = talk("/add other.txt", "Why?", "/add missing.txt", "/add")
    assert done.out.startswith("2 documents\n")
    assert "missing.txt" in done.out
    assert scripted.calls[0].files == ("letters.txt", "other.txt")


def test_read_asks_the_last_question_again_and_reads_everything(talk, scripted: ScriptedEngine) -> None:
    talk("/read", "Why?", "/read")
    first, second = scripted.calls
    assert (second.question, second.options.mode, second.options.max_time) == ("Why?", "read", None)
    assert first.options.mode == "auto"


def test_why_shows_what_the_answer_rests_on(talk, scripted: ScriptedEngine) -> None:
    scripted.script = everything
    assert "score +2.50: letters.txt, page 1\n" in talk("Why?", "/why").out


def test_a_conversation_is_saved_and_never_over_a_file(talk, letters: Path) -> None:
    saved = letters.with_name("saved.md")
    done = talk("/save saved.md", "Why?", "/save saved.md", "/save saved.md")
    assert (
        done.out
        == f"nothing was asked yet\n{ANSWER}saved to saved.md\nsaved.md is there already; give another name\n"
    )
    assert saved.read_text() == (
        '## Why?\n\nThe bridge was closed [1].\n\n- [1] letters.txt, page 1: "The bridge was closed."\n'
    )


@pytest.mark.parametrize("name", ["~nobody-of-that-name/a.md", "a\0b.md"])
def test_a_name_that_no_file_can_have_does_not_end_the_session(talk, name: str) -> None:
    done = talk("Why?", f"/save {name}", f"/add {name}", "/mode")
    assert done.code == 0
    assert done.out.endswith("mode: auto\n")


def test_an_unknown_command_is_no_question(talk, scripted: ScriptedEngine) -> None:
    assert talk("/summon \x1b[2J").out == "there is no command /summon; /help lists them\n"
    assert scripted.calls == []


def test_help_names_every_command(talk) -> None:
    shown = talk("/help").out
    for command in ("/mode", "/sources", "/open", "/add", "/read", "/why", "/save", "/help", "/quit"):
        assert f"{command} " in shown


def test_bytes_that_are_no_text_do_not_end_the_session(
    run: Run, scripted: ScriptedEngine, letters: Path
) -> None:
    done = run("qwen2-ask", "-i", letters, stdin=b"\xff\xfe?\n/mode\n")
    assert (done.code, done.out.endswith("mode: auto\n")) == (0, True)
    assert scripted.calls[0].question == "\ufffd\ufffd?"


def test_a_session_can_continue_a_conversation(run: Run, scripted: ScriptedEngine, letters: Path) -> None:
    run("qwen2-ask", "Was it open?", letters)
    run("qwen2-ask", "-i", "-c", stdin=b"Why?\n")
    assert scripted.calls[1].previous == ("Was it open?", "The bridge was closed.")
    assert scripted.calls[1].files == ("letters.txt",)
