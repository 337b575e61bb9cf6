"""The benchmark runs both engines on the same weights; its timings are never tested."""

from typing import Any

import pytest

from benchmarks import engine


@pytest.mark.parametrize("name", ["tiny", "tiny-moe"])
def test_both_engines_run_on_the_same_weights(name: str) -> None:
    result = engine.compare(name, prompt_length=8, tokens=3, pairs=2)
    assert min(result.ours.decode, result.mlx_lm.decode, result.ours.memory, result.mlx_lm.memory) > 0


def test_engines_that_disagree_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = engine.models("tiny")
    backbone: Any = theirs.model
    backbone.norm.weight = -backbone.norm.weight
    monkeypatch.setattr(engine, "models", lambda _: (ours, theirs))
    with pytest.raises(SystemExit, match="different tokens"):
        engine.compare("tiny", prompt_length=64, tokens=16, pairs=1)
