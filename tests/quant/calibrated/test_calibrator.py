"""A model quantised layer by layer: what comes out, and what an interruption leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from quant.calibrated import calibrator as calibrator_module
from quant.calibrated.calibrator import Calibrator
from quant.format import BITS, GROUP_SIZES, Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.models import build
from tests.checkpoints import DENSE, MOE, write_checkpoint
from tests.quant.calibrated.layers import (
    Tensors,
    fill,
    of_layer,
    parameters,
    plainly_rounded,
    unpacked,
)

#: Texts of different lengths, one of them a single token.
TEXTS = [[(7 * i + 3 * j) % 257 for j in range(length)] for i, length in enumerate((40, 23, 1, 31, 40))]

#: The last has experts in every other layer only, not in the first.
KINDS: dict[str, dict[str, Any]] = {
    "dense": DENSE,
    "moe": MOE,
    "mixed": {**MOE, "decoder_sparse_step": 2},
}
METHODS = ("gptq", "awq")


def opened(
    folder: Path, kind: str, method: str, **recipe: Any
) -> tuple[ModelConfig, Recipe, Tensors, Calibrator]:
    config, tensors = parameters(write_checkpoint(folder, KINDS[kind]))
    settings: dict[str, Any] = {"format": Format(4, 32), "method": method, **recipe}
    chosen = Recipe(**settings)
    calibrator = Calibrator(config, chosen, TEXTS)
    calibrator.start(lambda ids: tensors["model.embed_tokens.weight"][mx.array(ids)])
    return config, chosen, tensors, calibrator


def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    weights: Any = tree_flatten(build(config).parameters())
    return {name: weight.shape for name, weight in weights}


def same(one: Mapping[str, mx.array], other: Mapping[str, mx.array]) -> bool:
    return list(one) == list(other) and all(mx.array_equal(one[name], other[name]).item() for name in one)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_the_outputs_are_the_layers_parameters_in_the_planned_types(
    tmp_path: Path, kind: str, method: str
) -> None:
    config, recipe, tensors, calibrator = opened(tmp_path, kind, method, dtype="bfloat16")
    outputs = calibrator.quantize_layer(0, of_layer(tensors, 0))
    expected: dict[str, tuple[tuple[int, ...], str]] = {}
    for name, shape in shapes_of(config).items():
        if not name.startswith("model.layers.0."):
            continue
        path = name.removesuffix(".weight")
        format = format_of(recipe, config, path, shape)
        if format is None:
            expected[name] = (shape, "bfloat16")
        else:
            for part, (dtype, part_shape) in format.parts(shape, "bfloat16").items():
                expected[f"{path}.{part}"] = (part_shape, dtype)
    got = {
        name: (tensor.shape, str(tensor.dtype).removeprefix("mlx.core.")) for name, tensor in outputs.items()
    }
    assert got == expected
    assert ("model.layers.0.mlp.gate.weight" in got) == (kind == "moe")


@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_every_width_and_group_size_leaves_the_texts_nearer_than_plain_rounding(
    tmp_path: Path, bits: int, group_size: int
) -> None:
    wide = {**DENSE, "hidden_size": 128, "intermediate_size": 128, "num_hidden_layers": 1}
    config, tensors = parameters(write_checkpoint(tmp_path, wide))
    format = Format(bits, group_size)
    embedding = tensors["model.embed_tokens.weight"]
    calibrator = Calibrator(config, Recipe(None, format, "gptq"), TEXTS)
    calibrator.start(lambda ids: embedding[mx.array(ids)])
    calibrator.quantize_layer(0, of_layer(tensors, 0))

    def states(weights: Tensors) -> mx.array:
        model = fill(build(config), {**tensors, **weights})
        first = model.layers[0]
        context = model.model.context
        return mx.concatenate(
            [first(embedding[mx.array(ids)][None], context(len(ids), None), None)[0] for ids in TEXTS]
        )

    rounded = {
        name: mx.array(plainly_rounded(np.array(weight), format))
        for name, weight in of_layer(tensors, 0).items()
        if weight.ndim == 2
    }
    wanted = states({})
    plain_error = mx.square(states(rounded) - wanted).sum()
    error = mx.square(calibrator.state()["states"] - wanted).sum()
    assert error < 0.4 * plain_error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_that_is_taken_up_again_gives_the_same_bytes(
    tmp_path: Path, kind: str, method: str
) -> None:
    config, recipe, tensors, calibrator = opened(tmp_path / "model", kind, method)
    calibrator.quantize_layer(0, of_layer(tensors, 0))
    mx.save_safetensors(str(tmp_path / "state.safetensors"), calibrator.state())
    expected = calibrator.quantize_layer(1, of_layer(tensors, 1))

    state = mx.load(str(tmp_path / "state.safetensors"))
    assert isinstance(state, dict)
    resumed = Calibrator(config, recipe, TEXTS)
    resumed.restore(state)
    assert resumed.layer == 1
    assert same(resumed.quantize_layer(1, of_layer(tensors, 1)), expected)
    assert same(resumed.state(), calibrator.state())


@pytest.mark.parametrize("method", METHODS)
def test_an_interruption_inside_a_layer_leaves_no_trace(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, tensors, untouched = opened(tmp_path, "dense", method)
    expected = untouched.quantize_layer(0, of_layer(tensors, 0))
    _, _, tensors, calibrator = opened(tmp_path, "dense", method)
    before = calibrator.state()

    def interrupted(layer: Any, *others: Any) -> Any:
        calibrator_quantize(layer, *others)
        raise KeyboardInterrupt

    calibrator_quantize = calibrator_module.quantize
    monkeypatch.setattr(calibrator_module, "quantize", interrupted)
    given = of_layer(tensors, 0)
    with pytest.raises(KeyboardInterrupt):
        calibrator.quantize_layer(0, given)
    monkeypatch.undo()
    assert same(calibrator.state(), before)
    assert same(given, of_layer(tensors, 0))
    assert same(calibrator.quantize_layer(0, given), expected)


def test_the_texts_go_on_through_the_quantised_layers(tmp_path: Path) -> None:
    config, recipe, tensors, calibrator = opened(tmp_path, "dense", "gptq")
    outputs: Tensors = {}
    for index in range(2):
        outputs |= calibrator.quantize_layer(index, of_layer(tensors, index))
    model = fill(build(config), {**tensors, **unpacked(config, recipe, tensors, outputs)})
    expected: Any = tensors["model.embed_tokens.weight"][mx.array(TEXTS[0])][None]
    context = model.model.context(len(TEXTS[0]), None)
    for layer in model.layers:
        expected = layer(expected, context, None)
    got = calibrator.state()["states"][: len(TEXTS[0])]
    assert mx.abs(got - expected[0]).max() <= 1e-5 * mx.abs(expected).max()


@pytest.mark.parametrize("method", METHODS)
def test_states_in_half_precision_as_on_a_gpu_give_nearly_the_same(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, recipe, tensors, exact = opened(tmp_path, "dense", method)
    monkeypatch.setattr(calibrator_module, "_computing_dtype", lambda stored: mx.bfloat16)
    _, _, _, half = opened(tmp_path, "dense", method)
    floats = of_layer(tensors, 0)
    one, other = (unpacked(config, recipe, floats, c.quantize_layer(0, floats)) for c in (exact, half))
    assert half.state()["states"].dtype == mx.bfloat16
    moved = mx.abs(half.state()["states"] - exact.state()["states"])
    assert moved.mean() < 0.02 * mx.abs(exact.state()["states"]).mean()
    assert list(one) == list(other)


def test_layers_that_the_recipe_names_have_their_own_format_or_none(tmp_path: Path) -> None:
    named = {
        "model.layers.0.self_attn.k_proj": None,
        "model.layers.0.mlp.up_proj": Format(8, 32),
        "model.layers.0.mlp.down_proj": Format(4, 32, "mxfp4"),
    }
    config, _, tensors, calibrator = opened(tmp_path, "dense", "gptq", layers=named)
    outputs = calibrator.quantize_layer(0, of_layer(tensors, 0))
    assert mx.array_equal(
        outputs["model.layers.0.self_attn.k_proj.weight"], tensors["model.layers.0.self_attn.k_proj.weight"]
    )
    assert outputs["model.layers.0.mlp.up_proj.weight"].shape[-1] == config.hidden_size * 8 // 32
    assert outputs["model.layers.0.mlp.down_proj.scales"].dtype == mx.uint8
    assert "model.layers.0.mlp.down_proj.biases" not in outputs


@pytest.mark.parametrize("method", METHODS)
def test_experts_that_no_text_reached_are_fitted_to_their_weights(tmp_path: Path, method: str) -> None:
    config, recipe, tensors, calibrator = opened(tmp_path, "moe", method)
    layer = of_layer(tensors, 0)
    prefix = "model.layers.0.mlp"
    # With its norm silent every expert is as likely, and the router takes the same two for all.
    layer["model.layers.0.post_attention_layernorm.weight"] = mx.zeros(config.hidden_size)
    outputs = calibrator.quantize_layer(0, layer)
    for part in ("gate_proj", "up_proj", "down_proj"):
        path = f"{prefix}.switch_mlp.{part}"
        value = unpacked(config, recipe, {f"{path}.weight": layer[f"{path}.weight"]}, outputs)
        assert mx.isfinite(value[f"{path}.weight"]).all().item()
        steps = step_sizes(outputs, path)
        assert (mx.abs(value[f"{path}.weight"] - layer[f"{path}.weight"]) <= 1.6 * steps).all().item()


def step_sizes(outputs: Tensors, path: str) -> mx.array:
    """The distance between two neighbouring codes, for each weight of groups of 32."""
    return mx.repeat(mx.abs(outputs[f"{path}.scales"]), 32, axis=-1)


def test_layers_come_in_their_order(tmp_path: Path) -> None:
    _, _, tensors, calibrator = opened(tmp_path, "dense", "gptq")
    with pytest.raises(ValueError, match="layer 0 is next"):
        calibrator.quantize_layer(1, of_layer(tensors, 1))


def test_damaged_weights_are_a_clean_error(tmp_path: Path) -> None:
    _, _, tensors, calibrator = opened(tmp_path, "dense", "gptq")
    layer = of_layer(tensors, 0)
    name = "model.layers.0.mlp.up_proj.weight"
    broken = np.array(layer[name])
    broken[3, 4] = np.nan
    with pytest.raises(CheckpointError, match=r"up_proj.weight holds NaN"):
        calibrator.quantize_layer(0, {**layer, name: mx.array(broken)})
    del layer[name]
    with pytest.raises(CheckpointError, match=r"mlp.up_proj.weight"):
        calibrator.quantize_layer(0, layer)


@pytest.mark.parametrize("method", METHODS)
def test_weights_that_overflow_are_a_clean_error(tmp_path: Path, method: str) -> None:
    """Squares of such inputs are infinite; no factor of their Hessian exists."""
    _, _, tensors, calibrator = opened(tmp_path, "dense", method)
    layer = of_layer(tensors, 0)
    layer["model.layers.0.post_attention_layernorm.weight"] *= 1e25
    with pytest.raises(CheckpointError, match=r"layers.0.mlp.gate_proj meets numbers beyond float32"):
        calibrator.quantize_layer(0, layer)


@pytest.mark.parametrize(
    "change",
    [
        {"states": mx.zeros((3, 32))},
        {"states": mx.zeros((135, 32), mx.int32)},
        {"lengths": mx.array([40, 40, 1, 31, 23])},
        {"layer": mx.array([3])},
        {"layer": mx.array([-1])},
        {"layer": mx.array([1, 2])},
        {"layer": None},
    ],
)
def test_a_state_of_other_texts_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    _, _, _, calibrator = opened(tmp_path, "dense", "gptq")
    state = {**calibrator.state(), **change}
    with pytest.raises(CheckpointError, match="damaged or of other texts"):
        calibrator.restore({name: value for name, value in state.items() if value is not None})


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path) -> None:
    config, _ = parameters(write_checkpoint(tmp_path))
    with pytest.raises(ValueError, match="gptq"):
        Calibrator(config, Recipe(None, Format(4, 32), "fit"), TEXTS)
    for texts in ([], [[1, 2], []]):
        with pytest.raises(ValueError, match="texts"):
            Calibrator(config, Recipe(None, Format(4, 32), "gptq"), texts)
