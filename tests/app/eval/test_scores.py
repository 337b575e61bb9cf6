"""The bundled models keep the scores that their card states."""

import pytest

import qwen2_mlx
from app.eval.facts import Score, evaluate


def score(model: str, questions: int) -> Score:
    *_, last = evaluate(*qwen2_mlx.load(model), questions, seed=0)
    return last


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
