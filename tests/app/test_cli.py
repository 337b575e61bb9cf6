"""What all commands share: exit codes, clean text, argument types."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import cli
from qwen2_mlx.errors import PromptError

ROOT = Path(__file__).resolve().parents[2]


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        (lambda: 0, 0, ""),
        (lambda: 7, 7, ""),
        (raising(PromptError("too long; shorten it")), 1, "prog: too long; shorten it\n"),
        (raising(PermissionError(13, "Not allowed", "notes.txt")), 1, "prog: notes.txt: Not allowed\n"),
        (raising(PromptError("a\x1b[2Jb")), 1, "prog: a[2Jb\n"),
        (raising(KeyboardInterrupt()), 130, ""),
        (raising(BrokenPipeError()), 141, ""),
        (raising(SystemExit(2)), 2, ""),
        (raising(SystemExit()), 0, ""),
    ],
)  # fmt: skip
def test_every_end_has_its_exit_code_and_at_most_one_line(
    capsys: pytest.CaptureFixture[str], work: Callable[[], int], code: int, line: str
) -> None:
    assert cli.run("prog", work) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        ("print('answer') or 0", 1, "prog: No space left on device\n"),
        ("print('answer') or cli.Parser(prog='prog').exit()", 1, "prog: No space left on device\n"),
        ("print('answer') or next(iter(()))", 1, "StopIteration"),
        ("print('answer') or missing.read_text()", 1, "prog: no/file: No such file or directory\n"),
    ],
)
def test_output_that_cannot_be_written_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, work: str, code: int, line: str
) -> None:
    program = (
        "import pathlib, sys\n"
        "from app import cli\n"
        "missing = pathlib.Path('no/file')\n"
        f"sys.exit(cli.run('prog', lambda: {work}))"
    )
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert line in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_bug_passes_through() -> None:
    with pytest.raises(KeyError):
        cli.run("prog", raising(KeyError("bug")))


def test_clean_keeps_text_and_drops_every_control_character() -> None:
    text = "a\tb\nç 中 🙂 e\u0301 \u05d0\u200d\xa0"
    controls = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))).translate({0x09: None, 0x0A: None})
    assert len(controls) == 63
    assert cli.clean(text) == text
    assert cli.clean(controls.join(text)) == text


def test_clean_works_piece_by_piece() -> None:
    text = "\x1b[31mred\x1b]0;title\x07"
    assert "".join(cli.clean(letter) for letter in text) == cli.clean(text) == "[31mred]0;title"


@pytest.mark.parametrize(
    ("kind", "read", "accepted", "refused"),
    [
        (cli.positive_int, int, ["1", "007"], ["0", "-1", "1.5", "x", ""]),
        (cli.non_negative_int, int, ["0", "5"], ["-1", "1e3"]),
        (cli.seed, int, ["0", str(2**64 - 1)], ["-1", str(2**64)]),
        (cli.non_negative_float, float, ["0", "0.7", "1e3"], ["-0.1", "inf", "nan", "warm"]),
        (cli.positive_float, float, ["0.1", "2"], ["0", "-1", "inf"]),
        (cli.unit_above_zero, float, ["0.1", "1"], ["0", "1.01", "nan"]),
        (cli.unit_below_one, float, ["0", "0.99"], ["1", "-0.1"]),
        (cli.text, str, ["a", " a "], ["", " \n\t", "\udcff"]),
        (cli.stop_string, str, ["a", "\n"], ["", "\udcff"]),
    ],
)
def test_argument_types_accept_their_range_and_nothing_else(
    kind: Callable[[str], object], read: type, accepted: list[str], refused: list[str]
) -> None:
    assert [kind(value) for value in accepted] == [read(value) for value in accepted]
    for value in refused:
        with pytest.raises(argparse.ArgumentTypeError):
            kind(value)


def test_usage_errors_name_the_program_and_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    parser = cli.Parser(prog="prog")
    parser.add_argument("--count", type=cli.positive_int)
    assert cli.run("prog", lambda: parser.parse_args(["--count", "0"]).count) == 2
    assert capsys.readouterr().err == (
        "prog: argument --count: must be at least 1, not 0 (see prog --help)\n"
    )


def test_a_terminal_has_no_piped_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert cli.read_piped_text() == ""
