"""A second question about a document, from the command line."""

import json
import sys
from pathlib import Path

import pytest

from app import demo
from app.ask.whole import LEAST_STORED
from qwen2_mlx.loading import load
from qwen2_mlx.prefix_store.folder import default_folder
from tests.app.programs import Run

QUESTION = "What is the secret code of Morvan Telun?"
CODE = "The secret code of Morvan Telun is 48213."


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A text long enough to be stored."""
    path = tmp_path / "long.txt"
    path.write_text(demo.DOCUMENT.read_text() * 3)
    return path


def ask(run: Run, document: Path, *flags: str, question: str = QUESTION) -> dict:
    done = run("qwen2-ask", "--json", *flags, question, document)
    assert (done.code, done.err) in ((0, ""), (3, "")), done
    return json.loads(done.out)


@pytest.mark.parametrize("model", ["tiny", "tiny-moe"])
def test_a_second_question_reuses_the_document_and_is_answered_as_without(
    run: Run, document: Path, model: str
) -> None:
    for question in (QUESTION, "Tell me the home town of Sanin Grelvo."):
        fresh = ask(run, document, "-m", model, "--no-store", question=question)
        stored = ask(run, document, "-m", model, question=question)
        reused = stored["tokens"].pop("reused")
        assert fresh["tokens"].pop("reused") == 0
        assert stored == fresh
        assert (reused > LEAST_STORED) == (question != QUESTION)


def test_the_same_question_again_has_the_same_answer(run: Run, document: Path) -> None:
    first, second = ask(run, document), ask(run, document)
    assert first.pop("tokens")["reused"] == 0
    assert second.pop("tokens")["reused"] > LEAST_STORED
    assert first == second


def test_an_edited_document_is_read_anew(run: Run, document: Path) -> None:
    ask(run, document)
    document.write_text(document.read_text().replace("48213", "70946"))
    changed = ask(run, document)
    assert changed["tokens"]["reused"] == 0
    assert changed == ask(run, document, "--no-store")


def test_without_a_store_nothing_is_written(run: Run, document: Path, home: Path) -> None:
    ask(run, document, "--no-store")
    assert default_folder().path.is_relative_to(home)
    assert not default_folder().path.exists()


def test_the_demo_writes_nothing(home: Path) -> None:
    """Its document is below the least size."""
    before = set(home.rglob("*"))
    assert demo.main() == 0
    assert set(home.rglob("*")) == before
    _, tokenizer = load("tiny")
    assert len(tokenizer.encode(demo.DOCUMENT.read_text())) < LEAST_STORED


def test_a_damaged_entry_is_told_once_and_the_answer_is_right(run: Run, document: Path) -> None:
    first = ask(run, document)
    (stored,) = default_folder().files()
    data = bytearray(stored.path.read_bytes())
    data[len(data) // 2] ^= 1
    stored.path.write_bytes(data)
    done = run("qwen2-ask", "--json", QUESTION, document)
    assert json.loads(done.out) == first
    assert done.err.startswith("qwen2-ask: a stored text is damaged (its checksum does not agree)")
    assert done.err.count("\n") == 1
    again = ask(run, document)
    assert again["tokens"]["reused"] > LEAST_STORED
    assert again["answer"] == first["answer"]


def test_a_full_store_costs_no_answer(run: Run, document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", "10KB")
    done = run("qwen2-ask", QUESTION, document)
    assert done.code in (0, 3)
    assert done.out
    assert "not kept for later questions" in done.err


def test_an_impossible_limit_is_one_line_before_the_model_is_loaded(
    run: Run, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", "plenty")
    done = run("qwen2-ask", "-m", "no/such-model", QUESTION, document)
    done.assert_one_line(1, "QWEN2_MLX_CACHE_LIMIT", "plenty")


def test_reuse_is_told_on_a_terminal_only(run: Run, document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("qwen2-ask", QUESTION, document)
    assert run("qwen2-ask", QUESTION, document).err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "tokens were kept from an earlier question" in run("qwen2-ask", QUESTION, document).err
