"""What models computed for a text is kept on disk and serves the next question, from the command line.

The bundled model's own windows are too short to be worth keeping; these are longer.
"""

import json
from pathlib import Path

import pytest

from app import demo
from qwen2_mlx.prefix_store.folder import default_folder
from tests.app.programs import Run

QUESTION = "What is the secret code of Morvan Telun?"
OTHER = "Tell me the home town of Sanin Grelvo."
LEAST_STORED = 512


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A text of one long window."""
    path = tmp_path / "long.txt"
    path.write_text(demo.DOCUMENT.read_text() * 3)
    return path


#: Flags that make long windows, and short work of them: all of one is evidence, so that no part is rated.
LONG = ("--mode", "read", "--window", "750", "--evidence", "1000", "--max-tokens", "12", "--json")


def ask(run: Run, document: Path, *flags: str, question: str = QUESTION) -> dict:
    done = run("qwen2-ask", *LONG, "--fresh", *flags, question, document)
    assert done.err == "", done
    report = json.loads(done.out)
    for passing in ("conversation", "timings"):
        report.pop(passing)
    return report


@pytest.mark.parametrize("model", ["tiny", pytest.param("tiny-moe", marks=pytest.mark.slow)])
def test_a_second_question_reuses_the_text_and_is_answered_as_without(
    run: Run, document: Path, model: str
) -> None:
    for question in (QUESTION, OTHER):
        fresh = ask(run, document, "-m", model, "--no-store", question=question)
        stored = ask(run, document, "-m", model, question=question)
        computed, tokens = fresh.pop("tokens"), stored.pop("tokens")
        assert computed["reused"] == 0
        assert computed["prefilled"] == tokens["prefilled"] + tokens["reused"]
        assert stored == fresh
        if question == OTHER:
            assert tokens["reused"] > LEAST_STORED


def test_an_edited_document_is_read_anew(run: Run, document: Path) -> None:
    ask(run, document)
    document.write_text(document.read_text().replace("48213", "70946"))
    changed = run("qwen2-ask", *LONG, QUESTION, document)
    assert "48213" not in changed.out
    assert "has changed since" in changed.err


def test_without_a_store_nothing_is_written_but_the_library(run: Run, document: Path, home: Path) -> None:
    ask(run, document, "--no-store")
    assert default_folder().path.is_relative_to(home)
    assert not default_folder().path.exists()


def test_the_demo_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "LONG_QUESTIONS", demo.LONG_QUESTIONS[:1])  # the others take longer
    before = set(home.rglob("*"))
    assert demo.main() == 0
    assert set(home.rglob("*")) == before


def test_a_damaged_entry_is_told_once_and_the_answer_is_the_same(run: Run, document: Path) -> None:
    first = ask(run, document)
    stored = default_folder().files()
    assert stored
    for one in stored:
        data = bytearray(one.path.read_bytes())
        data[len(data) // 2] ^= 1
        one.path.write_bytes(data)
    done = run("qwen2-ask", *LONG, "--fresh", QUESTION, document)
    assert json.loads(done.out)["answer"] == first["answer"]
    assert "a stored text is damaged (its checksum does not agree)" in done.err
    assert all(line.startswith("qwen2-ask: ") for line in done.err.splitlines())


def test_a_full_store_costs_no_answer(run: Run, document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = ask(run, document, "--no-store")
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", "10KB")
    done = run("qwen2-ask", *LONG, "--fresh", QUESTION, document)
    assert json.loads(done.out)["answer"] == without["answer"]
    assert "not kept for later questions" in done.err


def test_an_impossible_limit_is_one_line_before_the_model_is_loaded(
    run: Run, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", "plenty")
    done = run("qwen2-ask", "-m", "no/such-model", QUESTION, document)
    done.assert_one_line(1, "QWEN2_MLX_CACHE_LIMIT", "plenty")
