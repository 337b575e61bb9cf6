"""The bundled models keep the scores that their card states."""

from collections.abc import Sequence
from statistics import fmean

import pytest

import qwen2_mlx
from app.eval.engine import Engine
from app.eval.facts import Score, evaluate
from app.eval.mode import Mode
from app.eval.run import prompt_of
from app.eval.tasks.needle import Needle

QUARTERS = (0, 25, 50, 75, 100)  # of the text, in percent
TENTHS = tuple(range(0, 101, 10))


def score(model: str, questions: int) -> Score:
    *_, last = evaluate(*qwen2_mlx.load(model), questions, seed=0)
    return last


def needles_found(model: str, rope: str, lengths: int, depths: Sequence[float], repeats: int = 1) -> float:
    """The share of needles found at `lengths` trained lengths, `repeats` at each of `depths`."""
    engine = Engine(model)
    task = Needle([lengths * engine.config.trained_length], depths, repeats, seed=0)
    scores = []
    for cell in task.cells():
        sample = task.sample(cell, engine.tokenizer)
        prompt = prompt_of(sample, engine.tokenizer)
        scores.append(sample.score(engine.answer(Mode(rope), prompt, sample.max_tokens)))
    return fmean(scores) / 100


@pytest.mark.parametrize("model", ["tiny", "tiny-moe"])
def test_a_sample_of_facts_is_answered(model: str) -> None:
    sample = score(model, 40)
    assert sample.accuracy >= 0.9
    assert sample.false_rate <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("model", "exact", "false"), [("tiny", 0.97, 0.03), ("tiny-moe", 0.95, 0.05)])
def test_the_scores_of_the_card_hold(model: str, exact: float, false: float) -> None:
    whole = score(model, 500)
    assert whole.accuracy >= exact
    assert whole.false_rate <= false


def test_dual_chunks_find_needles_where_plain_positions_find_none() -> None:
    assert needles_found("tiny", "dca", 4, QUARTERS) >= 0.8
    assert needles_found("tiny", "plain", 4, QUARTERS) <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "lengths", "share"), [("tiny", 8, 0.95), ("tiny", 16, 0.9), ("tiny-moe", 8, 0.9)]
)
def test_needles_are_found_as_far_as_the_config_promises(model: str, lengths: int, share: float) -> None:
    assert needles_found(model, "dca", lengths, TENTHS, repeats=5) >= share
    assert needles_found(model, "plain", lengths, TENTHS) <= 0.1
