"""Wrong flags, models and documents: one clear line, never a traceback.

A wrong command line is exit code 2, a wrong model or document 1.
"""

import os
from pathlib import Path

import pytest

from tests.app.programs import Run, run_process
from tests.checkpoints import DENSE, write_checkpoint

CHAT, ASK, CONVERT, EVAL = "qwen2-chat", "qwen2-ask", "qwen2-convert", "qwen2-eval"


@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        (CHAT, ["-p", "hi", "--warmth", "3"], ["--warmth"]),
        (CHAT, ["-p", ""], ["-p", "must not be empty"]),
        (CHAT, ["-p", " \n"], ["-p", "must not be empty"]),
        (CHAT, ["-m", "", "-p", "hi"], ["-m", "must not be empty"]),
        (CHAT, [], ["no prompt", "-p TEXT"]),
        (CHAT, ["-p", "hi", "--temp", "hot"], ["--temp", "must be a number"]),
        (CHAT, ["-p", "hi", "--temp", "nan"], ["--temp", "finite"]),
        (CHAT, ["-p", "hi", "--top-p", "7"], ["--top-p", "at most 1"]),
        (CHAT, ["-p", "hi", "--top-k", "1.5"], ["--top-k", "whole number"]),
        (CHAT, ["-p", "hi", "--max-tokens", "0"], ["--max-tokens", "at least 1"]),
        (CHAT, ["-p", "hi", "--seed", str(2**64)], ["--seed", str(2**64 - 1)]),
        (CHAT, ["-p", "hi", "--stop", ""], ["--stop", "must not be empty"]),
        (CHAT, ["-p", "hi", "--rope", "longer"], ["--rope", "yarn"]),
        (CHAT, ["-p", "\udcff"], ["-p", "UTF-8"]),
        (ASK, [], ["no question", "QUESTION"]),
        (ASK, ["Who?"], ["FILE"]),
        (ASK, ["", "notes.txt"], ["QUESTION", "must not be empty"]),
        (ASK, ["Who?", "notes.txt", "--max-tokens", "many"], ["--max-tokens", "whole number"]),
        (CONVERT, ["-q"], ["--hf-path"]),
        (CONVERT, ["--hf-path", "x", "--q-bits", "4"], ["--q-bits", "needs -q"]),
        (CONVERT, ["--hf-path", "x", "-q", "--q-bits", "7"], ["--q-bits", "7", "6, 8"]),
        (CONVERT, ["--hf-path", "x", "-q", "--q-group-size", "50"], ["--q-group-size", "50", "64"]),
        (CONVERT, ["--hf-path", "x", "--dtype", "int4"], ["--dtype", "bfloat16"]),
        (EVAL, [], ["TASK"]),
        (EVAL, ["taste"], ["taste", "facts"]),
        (EVAL, ["facts", "-n", "0"], ["-n", "at least 1"]),
    ],
)
def test_a_wrong_command_line_is_one_line(
    run: Run, program: str, arguments: list[str], words: list[str]
) -> None:
    run(program, *arguments).assert_one_line(2, *words, f"{program} --help" if program != EVAL else EVAL)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("nothing", ["there is no model 'nothing'", "hub id", "tiny"]),
        ("./nothing/here", ["there is no model './nothing/here'", "folder"]),
        ("/nothing", ["there is no model '/nothing'"]),
        ("one/two/three", ["there is no model 'one/two/three'"]),
        ("no\nsuch\x1b[31m", ["there is no model"]),
        ("owner/..", ["owner/..", "spelling"]),
        ("owner/two--dashes", ["owner/two--dashes", "spelling"]),
        ("owner/model", ["owner/model is not on this machine", "connect, or give a folder"]),
        ("0.5b", ["Qwen2-0.5B-Instruct-4bit is not on this machine"]),
        ("~nobody-by-that-name/model", ["~nobody-by-that-name", "whole path"]),
        ("x\n\x1b[2J" * 1000, ["name too long"]),
    ],
)
@pytest.mark.parametrize("program", [CHAT, ASK, CONVERT, EVAL])
def test_a_model_that_is_nothing_is_one_line(
    tmp_path: Path, run: Run, program: str, ref: str, words: list[str]
) -> None:
    document = tmp_path / "notes.txt"
    document.write_text("The harbour is closed.")
    target = tmp_path / "out"
    arguments = {
        CHAT: ["-m", ref, "-p", "hi"],
        ASK: ["Is it open?", document, "-m", ref],
        CONVERT: ["--hf-path", ref, "--mlx-path", target],
        EVAL: ["facts", "-m", ref],
    }
    run(program, *arguments[program]).assert_one_line(1, *words)
    assert not target.exists()


def test_a_model_that_is_a_file_is_one_line(checkpoint: Path, run: Run) -> None:
    file = checkpoint / "model.safetensors"
    run(CHAT, "-m", file, "-p", "hi").assert_one_line(1, "is a file", "give the folder")


def test_a_model_that_is_an_empty_folder_is_one_line(tmp_path: Path, run: Run) -> None:
    run(CHAT, "-m", tmp_path, "-p", "hi").assert_one_line(1, "no model folder", "config.json is missing")


def test_a_model_path_with_a_line_break_stays_one_line(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    run(CHAT, "-m", folder, "-p", "hi").assert_one_line(1, "two lines is no model folder")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, ["there is no file", "check the name"]),
        (b"", ["holds no text"]),
        (b" \n\t\n", ["holds no text"]),
        (b"The harbour\0master", ["binary", "convert it"]),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", ["convert it"]),
        ("Die Brücke".encode("latin-1"), ["no UTF-8 text", "byte 6", "UTF-8"]),
        (b"PK\x03\x04 and no archive", ["notes.txt", "damaged"]),
        (b"%PDF-1.7 and nothing else", ["notes.txt"]),
    ],
    ids=["missing", "empty", "blank", "binary", "program", "latin-1", "no zip", "no pdf"],
)
def test_a_wrong_document_is_one_line(tmp_path: Path, run: Run, data: bytes | None, words: list[str]) -> None:
    document = tmp_path / "notes.txt"
    if data is not None:
        document.write_bytes(data)
    run(ASK, "Is it open?", document).assert_one_line(1, *words)


def test_a_document_too_long_to_be_taken_whole_is_one_line(
    checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    document = tmp_path / "notes.txt"
    document.write_text("The harbour is closed. " * 200)
    outcome = run(ASK, "-q", "--mode", "whole", "Is it open?", document, "-m", checkpoint)
    outcome.assert_one_line(1, "tokens", "this model takes", "--mode auto")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_unbroken_document_is_answered(checkpoint: Path, tmp_path: Path, run: Run, encoding: str) -> None:
    (tmp_path / "notes.txt").write_text("Die Brücke ist zu.", encoding=encoding)
    answered = run(ASK, "Is it open?", tmp_path / "notes.txt", "-m", checkpoint, "--max-tokens", 2)
    assert answered.code in (0, 3, 4), answered.err  # a random model: the words of its reply are chance


def test_a_folder_without_documents_is_one_line(tmp_path: Path, run: Run) -> None:
    run(ASK, "Is it open?", tmp_path).assert_one_line(1, "there is no document in", "name the file")
    (tmp_path / "photo.jpeg").touch()
    run(ASK, "Is it open?", tmp_path).assert_one_line(1, "there is no document in", "name the file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_as_document_is_one_line_and_does_not_hang(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "pipe")
    run(ASK, "Is it open?", tmp_path / "pipe").assert_one_line(1, "not a regular file")


def test_nothing_on_stdin_as_document_is_one_line(run: Run) -> None:
    run(ASK, "Is it open?", "-").assert_one_line(1, "stdin holds no text")


def test_a_prompt_beyond_the_context_is_one_line(tmp_path: Path, run: Run) -> None:
    folder = write_checkpoint(tmp_path / "short", {**DENSE, "max_position_embeddings": 16})
    run(CHAT, "-m", folder, "-p", "hi", "--rope", "plain").assert_one_line(
        1, "the model handles 16", "shorten it"
    )


# The same through real processes: interpreter start, real file descriptors, real exit codes.


def test_a_wrong_flag_in_a_real_process() -> None:
    run_process(CHAT, "-p", "hi", "--warmth", "3", env=os.environ).assert_one_line(2, "--warmth")


def test_a_broken_checkpoint_in_a_real_process(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"")
    outcome = run_process(CHAT, "-m", checkpoint, "-p", "hi", env=os.environ)
    outcome.assert_one_line(1, "model.safetensors is damaged")


def test_a_hostile_template_in_a_real_process(checkpoint: Path) -> None:
    (checkpoint / "chat_template.jinja").write_text("{{ lipsum.__globals__['os'].popen('id').read() }}")
    outcome = run_process(CHAT, "-m", checkpoint, "-p", "hi", env=os.environ)
    outcome.assert_one_line(1, "chat template", "unsafe")


def test_a_missing_document_in_a_real_process(tmp_path: Path) -> None:
    outcome = run_process(ASK, "Who?", tmp_path / "notes.txt", env=os.environ)
    outcome.assert_one_line(1, "there is no file", "notes.txt")
