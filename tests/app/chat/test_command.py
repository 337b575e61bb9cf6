"""`qwen2-chat` without a screen: what it prints, where, and the code it ends with."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.chat import command, one_shot, supervisor
from app.chat.options import Options, Setup
from qwen2_mlx.errors import CheckpointError
from tests.app.chat.scripted import ScriptedSession

ROOT = Path(__file__).resolve().parents[3]

Play = Callable[[ScriptedSession], list[Options]]


class Input(io.TextIOWrapper):
    """A stdin that holds `data` and may claim to be a terminal."""

    def __init__(self, data: bytes = b"", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def terminal_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default nothing is piped in."""
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Puts a scripted session in the place of a model; returns the options it is opened with."""

    def install(session: ScriptedSession) -> list[Options]:
        opened: list[Options] = []

        def open_session(options: Options) -> ScriptedSession:
            opened.append(options)
            return session

        monkeypatch.setattr(one_shot, "open_session", open_session)
        return opened

    return install


def pipe_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Input(data))


def test_each_piece_is_on_stdout_before_the_next_is_made(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()  # what has left the program; the wrapper holds back what is not flushed
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    seen: list[bytes] = []
    play(ScriptedSession("The ", lambda: seen.append(written.getvalue()), "harbour."))
    assert command.main(["-p", "where?"]) == 0
    assert seen == [b"The "]
    assert written.getvalue() == b"The harbour.\n"


def test_an_answer_that_ends_its_line_gets_no_second_newline(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    play(ScriptedSession("done\n"))
    command.main(["-p", "hi"])
    assert capsys.readouterr() == ("done\n", "")


def test_the_prompt_reaches_the_model_unchanged(play: Play) -> None:
    session = ScriptedSession("x")
    play(session)
    command.main(["-p", "  two\nlines "])
    assert session.messages[0] == {"role": "user", "content": "  two\nlines "}


def test_piped_text_is_the_prompt(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ScriptedSession("x")
    play(session)
    pipe_in(monkeypatch, "\ufeff你好\n".encode())
    assert command.main([]) == 0
    assert session.messages[0]["content"] == "你好"


def test_a_prompt_stands_before_the_piped_text_with_a_blank_line_between(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ScriptedSession("x")
    play(session)
    pipe_in(monkeypatch, b"  line one\nline two\n\n")
    command.main(["-p", "Summarise this."])
    assert session.messages[0]["content"] == "Summarise this.\n\n  line one\nline two"


def test_an_empty_pipe_adds_nothing_to_the_prompt(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ScriptedSession("x")
    play(session)
    pipe_in(monkeypatch, b"\n")
    command.main(["-p", "hi"])
    assert session.messages[0]["content"] == "hi"


def test_flags_reach_the_model(play: Play) -> None:
    session = ScriptedSession("x")
    opened = play(session)
    flags = "--max-tokens 9 --temp 0.5 --top-p 0.9 --top-k 7 --min-p 0.1 --repetition-penalty 1.2 --seed 3"
    command.main(["-m", "some/model", "--rope", "yarn", "--system", "Be brief.", "-p", "hi",
                  *flags.split(), "--stop", "\n", "--stop", "END"])  # fmt: skip
    assert opened[0].setup == Setup("some/model", "yarn")
    assert opened[0].system == "Be brief."
    assert session.settings == {
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.1,
        "repetition_penalty": 1.2,
        "seed": 3,
        "stop": ["\n", "END"],
    }


def test_what_is_not_given_is_left_to_the_model(play: Play) -> None:
    session = ScriptedSession("x")
    opened = play(session)
    command.main(["-p", "hi"])
    assert session.settings == {}
    assert opened == [Options()]


def test_greedy_and_unlimited_are_values_not_absences(play: Play) -> None:
    session = ScriptedSession("x")
    play(session)
    command.main(["-p", "hi", "--temp", "0", "--top-k", "0", "--seed", "0"])
    assert session.settings == {"temperature": 0.0, "top_k": 0, "seed": 0}


def test_json_is_one_object_and_alone_on_stdout(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(ScriptedSession("深", "圳", finish="length"))
    assert command.main(["--json", "-v", "-p", "hi"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert "深圳" in out
    assert json.loads(out) == {
        "model": "tiny",
        "text": "深圳",
        "finish_reason": "length",
        "statistics": {
            "prompt_tokens": 40,
            "reused_tokens": 5,
            "generation_tokens": 3,
            "prompt_tps": 800.0,
            "generation_tps": 63.0,
            "time_to_first_token": 0.05,
            "peak_memory": 1_230_000_000,
        },
    }
    assert "63.0/s" in err


def test_statistics_go_to_stderr_and_only_on_request(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(ScriptedSession("x"))
    command.main(["-p", "hi"])
    assert capsys.readouterr() == ("x\n", "")
    command.main(["-p", "hi", "-v"])
    out, err = capsys.readouterr()
    assert out == "x\n"
    assert err == (
        "prompt 40 tokens at 800/s, answer 2 tokens at 63.0/s, first after 0.05 s, peak memory 1.23 GB\n"
    )


def test_a_small_peak_is_shown_in_megabytes(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    session = ScriptedSession("x")
    session.peak_memory = 5_400_000
    play(session)
    command.main(["-p", "hi", "-v"])
    assert capsys.readouterr().err.endswith("peak memory 5 MB\n")


def test_a_cut_answer_is_said_to_be_cut(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(ScriptedSession("x", finish="length"))
    assert command.main(["-p", "hi"]) == 0
    out, err = capsys.readouterr()
    assert out == "x\n"
    assert "cut after 2 tokens" in err


def test_control_characters_of_a_model_never_reach_stdout(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    session = ScriptedSession("a\x1b", "[31m\x9b2J\x07\x7f\r", "\tb\n")
    play(session)
    command.main(["-p", "hi"])
    assert capsys.readouterr().out == "a[31m2J\tb\n"
    command.main(["--json", "-p", "hi"])
    assert json.loads(capsys.readouterr().out)["text"] == "a[31m2J\tb\n"


def test_an_interrupted_answer_keeps_its_part_and_ends_its_line(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    session = ScriptedSession("half an", KeyboardInterrupt())
    play(session)
    assert command.main(["-p", "hi"]) == 130
    assert capsys.readouterr() == ("half an\n", "")


def test_an_interrupted_json_answer_is_still_json(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(ScriptedSession("half an", KeyboardInterrupt()))
    assert command.main(["--json", "-p", "hi"]) == 130
    answer = json.loads(capsys.readouterr().out)
    assert (answer["text"], answer["finish_reason"]) == ("half an", "interrupted")


def test_interrupting_the_load_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_session(options: Options) -> ScriptedSession:
        raise KeyboardInterrupt

    monkeypatch.setattr(one_shot, "open_session", open_session)
    assert command.main(["-p", "hi"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_problem_is_one_line_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_session(options: Options) -> ScriptedSession:
        raise CheckpointError("model.safetensors is cut off; fetch it again")

    monkeypatch.setattr(one_shot, "open_session", open_session)
    assert command.main(["--json", "-p", "hi"]) == 1
    assert capsys.readouterr() == ("", "qwen2-chat: model.safetensors is cut off; fetch it again\n")


def test_a_problem_in_the_middle_keeps_what_was_answered(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    play(ScriptedSession("half an", CheckpointError("broken")))
    assert command.main(["-p", "hi"]) == 1
    assert capsys.readouterr() == ("half an\n", "qwen2-chat: broken\n")


def test_a_bug_keeps_its_traceback(play: Play) -> None:
    play(ScriptedSession(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        command.main(["-p", "hi"])


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["-p", ""], "--prompt"),
        (["-p", " \n"], "--prompt"),
        (["-p", "hi\udcff"], "--prompt"),
        (["-p", "hi", "-m", ""], "--model"),
        (["-p", "hi", "--system", ""], "--system"),
        (["-p", "hi", "--max-tokens", "0"], "--max-tokens"),
        (["-p", "hi", "--max-tokens", "many"], "--max-tokens"),
        (["-p", "hi", "--temp", "-1"], "--temp"),
        (["-p", "hi", "--temp", "nan"], "--temp"),
        (["-p", "hi", "--top-p", "0"], "--top-p"),
        (["-p", "hi", "--top-p", "1.5"], "--top-p"),
        (["-p", "hi", "--top-k", "-1"], "--top-k"),
        (["-p", "hi", "--min-p", "1"], "--min-p"),
        (["-p", "hi", "--repetition-penalty", "0"], "--repetition-penalty"),
        (["-p", "hi", "--seed", str(2**64)], "--seed"),
        (["-p", "hi", "--seed", "-1"], "--seed"),
        (["-p", "hi", "--stop", ""], "--stop"),
        (["-p", "hi", "--rope", "spiral"], "--rope"),
        (["-p", "hi", "--max", "3"], "--max"),
        (["-p", "hi", "there"], "there"),
    ],
)
def test_a_bad_value_is_a_usage_error_that_names_the_flag(
    play: Play, capsys: pytest.CaptureFixture[str], flags: list[str], name: str
) -> None:
    opened = play(ScriptedSession("x"))
    assert command.main(flags) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("qwen2-chat: ")
    assert err.count("\n") == 1
    assert name in err
    assert not opened, "a model was loaded for nothing"


def test_piped_bytes_that_are_no_text_are_a_usage_error(
    play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(ScriptedSession("x"))
    pipe_in(monkeypatch, b"ab\xff")
    assert command.main(["-p", "hi"]) == 2
    assert "not UTF-8 (byte 2)" in capsys.readouterr().err


@pytest.mark.parametrize("piped", [b"", b" \n"])
def test_an_empty_pipe_alone_is_a_usage_error(
    play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], piped: bytes
) -> None:
    play(ScriptedSession("x"))
    pipe_in(monkeypatch, piped)
    assert command.main([]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no prompt" in err


def opened_screens(monkeypatch: pytest.MonkeyPatch, terminals: set[str]) -> list[Sequence[str]]:
    """Makes the named streams terminals and records the flags with which screens are opened."""
    opened: list[Sequence[str]] = []

    def supervise(code: str, arguments: Sequence[str]) -> int:
        assert "app.chat.open" in code
        opened.append(arguments)
        return 0

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name in terminals)
    monkeypatch.setattr(supervisor, "supervise", supervise)
    return opened


def test_nothing_asked_on_a_terminal_opens_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opened_screens(monkeypatch, {"stdin", "stdout", "stderr"})
    assert command.main(["-m", "7b", "--temp", "0.2"]) == 0
    assert opened == [["-m", "7b", "--temp", "0.2"]]


@pytest.mark.parametrize("missing", ["stdin", "stdout", "stderr"])
def test_no_screen_opens_unless_every_stream_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    opened = opened_screens(monkeypatch, {"stdin", "stdout", "stderr"} - {missing})
    assert command.main([]) == 2
    assert not opened
    assert "the chat screen needs a terminal" in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "code"), [(["-p", "hi"], 0), (["--json"], 2)])
def test_a_question_or_json_never_opens_the_screen(
    play: Play, monkeypatch: pytest.MonkeyPatch, flags: list[str], code: int
) -> None:
    play(ScriptedSession("x"))
    opened = opened_screens(monkeypatch, {"stdin", "stdout", "stderr"})
    assert command.main(flags) == code
    assert not opened


def test_version_and_help_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    from qwen2_mlx import __version__

    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"qwen2-chat {__version__}\n"
    assert command.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "blank line" in out
    assert "130 interrupted" in out


def run_scripted(*flags: str, pieces: int, shell: str) -> subprocess.CompletedProcess[str]:
    """Runs the command with a scripted session in a process of its own, through a shell line."""
    code = (
        "import sys\n"
        "from app.chat import command, one_shot\n"
        "from tests.app.chat.scripted import ScriptedSession\n"
        f"one_shot.open_session = lambda options: ScriptedSession(*['word '] * {pieces})\n"
        "for name in [name for name in sys.modules if name.startswith('textual')]:\n"
        "    del sys.modules[name]\n"  # the helpers of the tests brought it along
        f"code = command.main({list(flags)})\n"
        "assert 'textual' not in sys.modules, 'an answer needs no screen'\n"
        "sys.exit(code)\n"
    )
    return subprocess.run(
        ["bash", "-c", shell, sys.executable, sys.executable, "-c", code],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_reader_that_leaves_early_is_no_traceback() -> None:
    done = run_scripted("-p", "hi", pieces=50_000, shell='"$@" | head -c 9; echo " ${PIPESTATUS[0]}"')
    assert (done.stdout, done.stderr) == ("word word 141\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("flags", [["-p", "hi"], ["-p", "hi", "--json"], ["--help"]])
def test_a_full_disk_is_one_line(flags: list[str]) -> None:
    done = run_scripted(*flags, pieces=3, shell='"$@" > /dev/full')
    assert done.returncode == 1
    assert done.stderr == "qwen2-chat: No space left on device\n"


def test_closed_standard_streams_are_no_traceback() -> None:
    done = run_scripted("-p", "hi", pieces=3, shell='"$@" <&- 2>&-')
    assert (done.returncode, done.stdout) == (0, "word word word \n")


def test_a_character_the_terminal_lacks_is_replaced(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    play(ScriptedSession("深 x"))
    assert command.main(["-p", "hi"]) == 0
    assert output.buffer.getvalue() == b"? x\n"  # type: ignore[attr-defined]
