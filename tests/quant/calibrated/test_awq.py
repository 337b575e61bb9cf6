"""AWQ: scales that are folded away, and what they are good for."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from quant.calibrated import awq
from quant.calibrated.awq import AWQ, power_of_two, rounded, search, weighted_fit
from quant.calibrated.layer import Layer
from quant.encode import decode, encode
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.attention.context import AttentionContext, attention_context
from qwen2_mlx.attention.rope import Rope
from tests.checkpoints import DENSE, MOE, write_checkpoint
from tests.quant.calibrated.layers import decoded, of_layer, parameters

RECIPE = Recipe(None, Format(4, 32), "awq")
GROUPED = {**DENSE, "hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 2}
SPARSE = {**MOE, "hidden_size": 64, "shared_expert_intermediate_size": 64}


def opened(folder: Path, config: dict[str, Any], recipe: Recipe = RECIPE) -> Layer:
    """The first layer of a random model, with values of loud and quiet channels."""
    parsed, tensors = parameters(write_checkpoint(folder, config))
    layer = Layer(parsed, recipe, 0, of_layer(tensors, 0), mx.float32)
    values = layer.floats["self_attn.v_proj.weight"]
    loudness = mx.array(np.exp(1.5 * np.random.default_rng(4).normal(size=len(values))).astype(np.float32))
    layer.change("self_attn.v_proj.weight", values * loudness[:, None])
    layer.change("self_attn.v_proj.bias", layer.floats["self_attn.v_proj.bias"] * loudness)
    return layer


def states_of(layer: Layer, count: int = 6, time: int = 24) -> list[mx.array]:
    """Hidden states with a few loud channels."""
    rng = np.random.default_rng(3)
    loudness = np.exp(1.5 * rng.normal(size=layer.config.hidden_size))
    states = rng.normal(size=(count, 1, time, layer.config.hidden_size)) * loudness
    return [mx.array(x.astype(np.float32)) for x in states]


def contexts_of(layer: Layer) -> Any:
    rope = Rope(layer.config.rope, layer.config.head_dim)

    def context(time: int) -> AttentionContext:
        return attention_context(rope, None, time, 0, time, None)

    return context


def outputs(layer: Layer, states: list[mx.array]) -> np.ndarray:
    contexts = contexts_of(layer)
    return np.concatenate(
        [np.array(layer.feed_forward(layer.attention(x, contexts(x.shape[1])))) for x in states]
    )


def fold(layer: Layer, states: list[mx.array]) -> None:
    contexts = contexts_of(layer)
    AWQ().before_attention(layer, states, contexts)
    AWQ().before_feed_forward(layer, [layer.attention(x, contexts(x.shape[1])) for x in states])


@pytest.mark.parametrize("config", [DENSE, GROUPED, MOE, SPARSE], ids=["dense", "grouped", "moe", "sparse"])
def test_the_folded_layer_computes_the_same(tmp_path: Path, config: dict[str, Any]) -> None:
    layer = opened(tmp_path, config)
    states = states_of(layer)
    before, weights = outputs(layer, states), dict(layer.floats)
    fold(layer, states)
    after = outputs(layer, states)
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()
    names = ["input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.v_proj.bias"]
    names += ["mlp.gate.weight", "mlp.switch_mlp.up_proj.weight"] if layer.experts else ["mlp.up_proj.weight"]
    for name in names:
        assert not mx.array_equal(layer.floats[name], weights[name]), f"{name} was not scaled"


def test_query_heads_of_one_value_head_share_the_scales_of_the_output_projection(
    tmp_path: Path,
) -> None:
    layer = opened(tmp_path, GROUPED)
    before = np.array(layer.floats["self_attn.o_proj.weight"])
    fold(layer, states_of(layer))
    ratio = np.array(layer.floats["self_attn.o_proj.weight"])[0] / before[0]
    by_head = ratio.reshape(GROUPED["num_key_value_heads"], -1, layer.config.head_dim)
    assert np.ptp(ratio) > 0
    assert (np.ptp(by_head, axis=1) == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_folding_rounds_nothing_in_half_precision(tmp_path: Path, dtype: str) -> None:
    parsed, tensors = parameters(write_checkpoint(tmp_path, SPARSE))
    half = {name: value.astype(getattr(mx, dtype)) for name, value in of_layer(tensors, 0).items()}
    layer = Layer(parsed, RECIPE, 0, half, mx.float32)
    states = states_of(layer)
    before = outputs(layer, states)
    fold(layer, states)
    assert layer.floats["mlp.gate.weight"].dtype == getattr(mx, dtype)
    assert np.abs(outputs(layer, states) - before).max() <= 1e-5 * np.abs(before).max()


def test_each_expert_scales_its_own_up_rows(tmp_path: Path) -> None:
    layer = opened(tmp_path, SPARSE)
    before = np.array(layer.floats["mlp.switch_mlp.down_proj.weight"])
    fold(layer, states_of(layer))
    ratio = np.array(layer.floats["mlp.switch_mlp.down_proj.weight"])[:, 0] / before[:, 0]
    assert len(np.unique(ratio, axis=0)) > 1


def test_an_expert_that_no_row_reached_keeps_its_weights(tmp_path: Path) -> None:
    layer = opened(tmp_path, SPARSE)
    router = np.array(layer.floats["mlp.gate.weight"])
    down = layer.floats["mlp.switch_mlp.down_proj.weight"]
    states = [mx.abs(x) for x in states_of(layer)]
    router[:] = np.abs(router)
    router[2] = -1  # never among the chosen, for what the norm lets through is positive
    layer.change("post_attention_layernorm.weight", mx.abs(layer.floats["post_attention_layernorm.weight"]))
    layer.change("mlp.gate.weight", mx.array(router))
    AWQ().before_feed_forward(layer, states)
    assert mx.array_equal(layer.floats["mlp.switch_mlp.down_proj.weight"][2], down[2])
    assert not mx.array_equal(layer.floats["mlp.switch_mlp.down_proj.weight"], down)


def test_an_expert_that_few_rows_reached_is_not_scaled_for_them(tmp_path: Path) -> None:
    layer = opened(tmp_path, SPARSE)
    before = layer.floats["mlp.switch_mlp.down_proj.weight"]
    AWQ().before_feed_forward(layer, [states_of(layer)[0][:, :3]])  # at most three rows an expert
    assert mx.array_equal(layer.floats["mlp.switch_mlp.down_proj.weight"], before)


def test_layers_that_stay_in_floating_point_are_not_scaled_for(tmp_path: Path) -> None:
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    untouched = dict.fromkeys((f"model.layers.0.self_attn.{name}" for name in names), None)
    layer = opened(tmp_path, DENSE, Recipe(None, Format(4, 32), "awq", untouched))
    before = dict(layer.floats)
    fold(layer, states_of(layer))
    for name, tensor in before.items():
        if name.startswith(("self_attn", "input_layernorm")):
            assert mx.array_equal(layer.floats[name], tensor)


@pytest.mark.parametrize("bits", [3, 4])
def test_loud_channels_come_out_better_than_by_a_fit_without_scales(bits: int) -> None:
    """A few input channels a hundred times as loud as the rest, the case AWQ was made for."""
    rng = np.random.default_rng(0)
    loudness = np.where(rng.random(256) < 0.03, 100, 1)
    inputs = mx.array((rng.normal(size=(1024, 256)) * loudness).astype(np.float32))
    weight = mx.array(rng.normal(size=(128, 256)).astype(np.float32))
    format = Format(bits, 64)
    scales = search(mx.abs(inputs).mean(axis=0), lambda s: awq.output_error(inputs, weight, s, format))
    importance = np.array(inputs.square().sum(axis=0) / scales.square())
    scaled = decoded(*weighted_fit(np.array(weight * scales), importance, format, "float32"))
    fitted = decode(encode(weight, format, "fit"), format)

    def error(changed: mx.array) -> float:
        return float((inputs @ (changed - weight).T).square().sum())

    assert error(mx.array(scaled.astype(np.float32)) / scales) < 0.35 * error(fitted)


def test_scales_are_powers_of_two() -> None:
    values = mx.array([0.3, 0.70, 0.72, 1.0, 1.41, 1.42, 300.0])
    assert power_of_two(values).tolist() == [0.25, 0.5, 1.0, 1.0, 1.0, 2.0, 256.0]
    exact = [2.0**exponent for exponent in range(-126, 128)]
    assert power_of_two(mx.array(exact)).tolist() == exact


def test_silent_and_broken_channels_get_no_scale() -> None:
    assert search(mx.zeros(8), lambda s: 0.0).tolist() == [1.0] * 8
    assert search(mx.array([1.0, float("inf")]), lambda s: 0.0).tolist() == [1.0] * 2
    some = search(mx.array([0.0, 1e-30, 1.0, 2.0]), lambda s: -float(s.max()))
    assert mx.isfinite(some).all().item()
    assert (some > 0).all().item()


def test_rounding_with_scales_of_one_is_plain_rounding() -> None:
    weight = mx.array(np.random.default_rng(0).normal(size=(2, 16, 64)).astype(np.float32))
    format = Format(4, 32)
    expected = mx.dequantize(*mx.quantize(weight, 32, 4), group_size=32, bits=4)
    assert mx.allclose(rounded(weight, mx.ones(64), format), expected, atol=1e-6).item()


def test_weights_of_zero_give_no_nan(tmp_path: Path) -> None:
    """In the 72B some gate and up projections hold groups of nothing but zeros once in float16."""
    layer = opened(tmp_path, DENSE)
    for name in ("mlp.gate_proj.weight", "mlp.up_proj.weight"):
        layer.change(name, mx.zeros_like(layer.floats[name]))
    states = states_of(layer)
    fold(layer, states)
    assert all(mx.isfinite(tensor).all().item() for tensor in layer.floats.values())
