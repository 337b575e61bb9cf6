"""What programs say and choose before they process a long text."""

from pathlib import Path

import pytest

from tests.app.programs import Run

ASK, CHAT = "qwen2-ask", "qwen2-chat"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("The harbour is closed. " * 40)
    return path


@pytest.mark.parametrize("limit", ["1MB", "1000k", "0.9 MiB"])
def test_a_document_beyond_the_memory_limit_is_refused_with_the_numbers(
    document: Path, run: Run, limit: str
) -> None:
    outcome = run(ASK, "Is it open?", document, "--memory-limit", limit)
    outcome.assert_one_line(1, "need at least", "may be used", "--memory-limit")


def test_a_prompt_beyond_the_memory_limit_is_refused_with_the_numbers(run: Run) -> None:
    run(CHAT, "-p", "hi", "--memory-limit", "1MB").assert_one_line(1, "need at least", "may be used")


@pytest.mark.parametrize("size", ["much", "-1GB", "0", "12 apples"])
def test_a_limit_that_is_no_size_is_a_usage_error(run: Run, size: str) -> None:
    run(CHAT, "-p", "hi", f"--memory-limit={size}").assert_one_line(2, "--memory-limit")


@pytest.mark.parametrize("bits", ["16", "8", "8/4"])
def test_any_cache_answers(run: Run, bits: str) -> None:
    outcome = run(CHAT, "-p", "Who are you?", "--kv-bits", bits, "--temp", "0")
    assert outcome.code == 0
    assert "tiny" in outcome.out


def test_a_prompt_longer_than_was_shown_to_work_is_announced(
    checkpoint: Path, document: Path, run: Run
) -> None:
    """The random model was trained on 512 tokens; the document is longer."""
    flags = "-m", checkpoint, "--max-tokens", "3"
    assert "beyond the 512 up to which" in run(CHAT, "-p", document.read_text(), *flags).err
    assert "beyond" not in run(CHAT, "-p", "The harbour is closed.", *flags).err


def test_pieces_of_documents_longer_than_was_shown_to_work_are_announced(
    checkpoint: Path, document: Path, run: Run
) -> None:
    """What a question shows the model at once stays below that length unless flags ask for more."""
    flags = "-m", checkpoint, "--max-tokens", "3", "--max-time", "0"
    for flag in ("--window", "--evidence"):
        assert "513 tokens are beyond the 512 up" in run(ASK, "Open?", document, *flags, flag, 513).err
    assert "beyond" not in run(ASK, "Open?", document, *flags).err


def test_a_measurement_beyond_the_memory_limit_is_refused_with_the_numbers(run: Run, tmp_path: Path) -> None:
    for task in ("needle", "perplexity"):
        outcome = run("qwen2-eval", task, "--out", tmp_path / task, "--memory-limit", "1MB")
        assert outcome.code == 1
        assert "need at least" in outcome.err
