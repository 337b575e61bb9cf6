"""What a command line of qwen2-ask means."""

import argparse
from collections.abc import Callable

import pytest

from app.ask import flags
from tests.app.programs import Run


@pytest.mark.parametrize(
    ("words", "question", "files"),
    [
        (["Who?", "a.txt"], "Who?", ["a.txt"]),
        (["Who?", "-m", "7b", "a.txt", "b/"], "Who?", ["a.txt", "b/"]),
        (["-m", "7b", "Who?", "-", "--strict"], "Who?", ["-"]),
        (["-c", "Who?"], "Who?", []),
        (["--cid", "1a", "Who?", "a.txt"], "Who?", ["a.txt"]),
        (["--", "library", "a.txt"], "library", ["a.txt"]),
        (["-q", "--", "--help", "-x.txt"], "--help", ["-x.txt"]),
        (["Who?", "--", "-x.txt"], "Who?", ["-x.txt"]),
        (["-i", "a.txt", "b.txt"], None, ["a.txt", "b.txt"]),
        (["-i", "-c"], None, []),
        (["--index-only", "docs"], None, ["docs"]),
    ],
)
def test_the_question_comes_first_and_the_rest_are_documents(
    words: list[str], question: str | None, files: list[str]
) -> None:
    args = flags.parse(words)
    assert (args.question, args.files) == (question, files)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["no question"]),
        (["Who?"], ["no document", "FILE", "-c"]),
        (["--strict"], ["no question"]),
        (["-i"], ["nothing to read"]),
        (["--index-only"], ["nothing to read"]),
        (["--index-only", "-c"], ["--index-only and -c"]),
        (["-i", "-"], ["-i", "stdin"]),
        (["-i", "a.txt", "--json"], ["-i and --json"]),
        (["-c", "Who?", "--no-history"], ["--no-history and -c"]),
        (["-c", "Who?", "--dry-run"], ["--dry-run and -c"]),
        (["Who?", "a.txt", "-q", "-v"], ["-q", "not allowed with"]),
        (["Who?", "a.txt", "-q", "--events"], ["-q and --events"]),
        (["--", ""], ["QUESTION", "must not be empty"]),
        (["Who?", "a.txt", "--max-time", "soon"], ["--max-time", "5m"]),
        (["Who?", "a.txt", "--pages", "9-3"], ["--pages", "10-80"]),
        (["Who?", "a.txt", "--window", "131073"], ["--window", "at most 131072"]),
        (["Who?", "a.txt", "--mode", "guess"], ["--mode", "retrieve"]),
        (["Who?", "a.txt", "--cite", "all"], ["--cite", "page"]),
        (["Who?", "a.txt", "--evidence", "0"], ["--evidence", "at least 1"]),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(run: Run, words: list[str], said: list[str]) -> None:
    run("qwen2-ask", *words).assert_one_line(2, *said, "qwen2-ask --help")


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        (
            flags.duration,
            {"0": 0, "90": 90, "90s": 90, "5m": 300, "1h": 3600, "1h30m5s": 5405, "none": None},
            ["", "m", "5x", "-1", "1.5m", "m5", "5 m"],
        ),
        (
            flags.pages,
            {"7": ((7, 7),), "10-80,90": ((10, 80), (90, 90)), "1-1": ((1, 1),), "1, 3": ((1, 1), (3, 3))},
            ["", "0", "5-4", "a", "1-", "-3", "1,,2", "1-2-3"],
        ),
        (flags.window, {"1": 1, "131072": 131072}, ["0", "131073", "x"]),
    ],
)
def test_times_pages_and_windows_accept_their_form_and_nothing_else(
    kind: Callable[[str], object], accepted: dict[str, object], refused: list[str]
) -> None:
    assert {text: kind(text) for text in accepted} == accepted
    for text in refused:
        with pytest.raises(argparse.ArgumentTypeError):
            kind(text)


def test_help_shows_every_form_of_the_command_and_the_exit_codes(run: Run) -> None:
    shown = run("qwen2-ask", "--help")
    assert shown.code == 0
    for words in (
        "QUESTION [FILE|DIR|-]...",
        "-i FILE|DIR...",
        "--index-only",
        "library list|show|remove|verify",
        '"qwen2-ask -- library FILE"',
        "3 not in the documents, 4 answered but not verified, 5 a limit",
    ):
        assert words in shown.out
