"""Every format that `encode` writes, loaded by this engine and by mlx-lm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.utils import load_model as mlx_lm_load_model

from quant.encode import decode, encode
from quant.format import BITS, MICROSCALING, Format
from quant.recipe import Recipe
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.models import Model
from tests import checkpoints
from tests.quant.folders import quantised_folder

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
MOE = {**checkpoints.MOE, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 96}
RECIPES = [
    *(Recipe(format=Format(bits, 32)) for bits in BITS),
    Recipe(format=Format(4, 32), method="round"),
    *(Recipe(format=format) for format in MICROSCALING.values()),
]


def named(recipe: Recipe) -> str:
    assert recipe.format is not None
    return f"{recipe.format.mode}-{recipe.format.bits}-{recipe.method}"


def loaded(folder: Path) -> Model:
    return load_model(folder, read_config(folder))


def greedy(model: Any, count: int = 12) -> list[int]:
    tokens = TOKENS
    for _ in range(count):
        tokens = mx.concatenate([tokens, model(tokens)[:, -1:].argmax(axis=-1).astype(tokens.dtype)], axis=1)
    return np.array(tokens[0]).tolist()


@pytest.mark.parametrize("config", [checkpoints.DENSE, MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_both_engines_compute_the_same_tokens(
    tmp_path: Path, recipe: Recipe, config: Mapping[str, Any]
) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    folder = quantised_folder(source, tmp_path / "quantised", recipe)
    ours, (theirs, _) = loaded(folder), mlx_lm_load_model(folder)
    expected = theirs(TOKENS)
    assert float(mx.abs(ours(TOKENS) - expected).max()) < 1e-5 * float(mx.abs(expected).max())
    assert greedy(ours) == greedy(theirs)


@pytest.mark.parametrize("config", [checkpoints.DENSE, MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_a_quantised_model_computes_with_the_decoded_weights(
    tmp_path: Path, recipe: Recipe, config: Mapping[str, Any]
) -> None:
    """Also after its projections are merged, which in some modes have no biases to merge."""
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    folder = quantised_folder(source, tmp_path / "quantised", recipe)
    quantised, reference = loaded(folder), loaded(source)
    for path, module in reference.named_modules():
        own: Any = dict(quantised.named_modules())[path]
        if "scales" in own:
            format = Format(own.bits, own.group_size, own.mode)
            parts = {name: own[name] for name in ("weight", "scales", "biases") if own.get(name) is not None}
            module["weight"] = decode(parts, format)
    expected = reference(TOKENS)
    quantised.fuse()
    assert "qkv_proj" in quantised.layers[0].self_attn
    assert float(mx.abs(quantised(TOKENS) - expected).max()) < 1e-4 * float(mx.abs(expected).max())


def test_bfloat16_scales_load_in_both_engines(checkpoint: Path, tmp_path: Path) -> None:
    recipe = Recipe(format=Format(4, 32))
    folder = quantised_folder(checkpoint, tmp_path / "quantised", recipe, mx.bfloat16)
    theirs: Any = mlx_lm_load_model(folder)[0]
    expected = theirs(TOKENS).astype(mx.float32)
    assert theirs.layers[0].self_attn.q_proj.scales.dtype == mx.bfloat16
    assert float(mx.abs(loaded(folder)(TOKENS) - expected).max()) < 0.05 * float(mx.abs(expected).max())


@pytest.mark.parametrize("bits", BITS)
def test_experts_are_encoded_as_their_rows_are(bits: int) -> None:
    """MLX quantises the stack of experts at once, the converter row by row."""
    experts = mx.array(np.random.default_rng(0).standard_normal((3, 8, 64)).astype(np.float32))
    parts = encode(experts.reshape(-1, 64), Format(bits, 32), "round")
    for got, expected in zip(parts.values(), mx.quantize(experts, 32, bits), strict=True):
        assert mx.array_equal(got.reshape(expected.shape), expected)
