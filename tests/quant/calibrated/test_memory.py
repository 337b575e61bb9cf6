"""What calibration needs, by formula, for the published sizes."""

import json
from pathlib import Path

import pytest

from quant.calibrated.memory import peak_bytes
from quant.format import BITS, Format
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig

#: 128 texts of 512 tokens.
TOKENS = 128 * 512


@pytest.mark.parametrize("method", ["gptq", "awq"])
@pytest.mark.parametrize("size", ["72B", "57B-A14B"])
def test_the_largest_models_stay_near_14_gigabytes(shared_data: Path, size: str, method: str) -> None:
    config = ModelConfig.from_dict(json.loads((shared_data / f"configs/Qwen2-{size}.json").read_text()))
    needs = [peak_bytes(config, Recipe(None, Format(bits, 64), method), TOKENS) for bits in BITS]
    assert needs == sorted(needs)
    assert needs[0] > 8e9
    assert needs[-1] < 14.3e9


def test_longer_texts_take_what_their_states_take(shared_data: Path) -> None:
    config = ModelConfig.from_dict(json.loads((shared_data / "configs/Qwen2-7B.json").read_text()))
    recipe = Recipe(None, Format(4, 64), "gptq")
    more = peak_bytes(config, recipe, 2 * TOKENS) - peak_bytes(config, recipe, TOKENS)
    assert more == pytest.approx(2 * TOKENS * 3584 * 2, abs=2)
