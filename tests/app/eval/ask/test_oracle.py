"""The agent with a perfect reader in place of a model answers and cites everything right where a level can.

Nothing here depends on weights: what fails is the library, the levels, the citations or the evaluation.
"""

import io
from pathlib import Path

import pytest

from app.eval.ask import agents
from app.eval.ask.levels import open_contestant
from app.eval.ask.run import FIELDS, Plan, Result, finished, run, unfinished
from app.eval.ask.setup import Setup
from app.eval.ask.tasks import TASKS
from app.eval.progress import Progress
from app.eval.store import Store
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.ask.oracle import Oracle

CHAINS = {f"chain-{hops}" for hops in (2, 3, 4, 5)}
GLOBAL = {"count", "list"}
ONE_FACT = {*TASKS} - CHAINS - GLOBAL


@pytest.fixture
def ask(small: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs all tasks about a document of 7,000 tokens at one level."""
    monkeypatch.setattr(agents, "_open_roles", lambda setup, prefixes: Oracle(small))

    def results(level: str) -> list[Result]:
        plan = Plan((level,), TASKS, (7_000,), (0.0, 50.0, 100.0), 1, 1)
        with Store(tmp_path / level, {}, FIELDS) as store:
            progress = Progress("eval", [1.0] * len(unfinished(plan, store)), stream=io.StringIO())
            setup = Setup("oracle", max_time=None)
            run(plan, small, lambda *at: open_contestant(at[0], setup, at[1], at[2]), store, progress)
            return finished(plan, store)

    return results


def wrong(results: list[Result]) -> list[tuple[str, str, str]]:
    return [(r.id, r.question, r.answer) for r in results if r.score < 100]


@pytest.mark.parametrize(
    ("level", "tasks"),
    [
        ("bm25", ONE_FACT - {"paraphrase"}),
        ("retrieve", ONE_FACT),
        ("read", ONE_FACT),
        ("reason", ONE_FACT | CHAINS),
        ("digest", GLOBAL),
        ("auto", {*TASKS}),
    ],
)
def test_a_perfect_reader_is_right_wherever_the_level_can_be(ask, level: str, tasks: set[str]) -> None:
    results = ask(level)
    assert wrong([r for r in results if r.task in tasks]) == []
    assert {r.task for r in results if r.task in tasks} == tasks
    cited = [r for r in results if r.task in tasks]
    assert all(r.precise == r.citations and r.covered == r.sentences for r in cited)


def test_a_search_for_the_words_of_the_question_does_not_find_paraphrases(ask) -> None:
    """Else the paraphrase task would say nothing about models."""
    scores = [r.score for r in ask("bm25") if r.task == "paraphrase"]
    assert len(scores) == 3
    assert sum(scores) < 300
