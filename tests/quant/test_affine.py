"""A model quantised in memory."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from quant.affine import quantize_model
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.models import Model, build
from tests import checkpoints

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])


def quantized(folder: Path, bits: int) -> tuple[Model, dict]:
    model = load_model(folder, read_config(folder))
    return model, quantize_model(model, bits, group_size=32)


def feed_forward(model: Model) -> Any:
    return model.layers[0].mlp


def relative_error(folder: Path, bits: int) -> float:
    reference = load_model(folder, read_config(folder))(TOKENS)
    difference = quantized(folder, bits)[0](TOKENS) - reference
    return float(mx.abs(difference).max() / mx.abs(reference).max())


def test_more_bits_are_closer_to_the_original(checkpoint: Path) -> None:
    errors = [relative_error(checkpoint, bits) for bits in (3, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] < 0.05


def test_codes_and_scales_are_those_of_mlx(checkpoint: Path) -> None:
    original = feed_forward(load_model(checkpoint, read_config(checkpoint))).down_proj.weight
    layer = feed_forward(quantized(checkpoint, 4)[0]).down_proj
    for got, expected in zip(
        (layer.weight, layer.scales, layer.biases), mx.quantize(original, 32, 4), strict=True
    ):
        assert mx.array_equal(got, expected)


def test_the_router_and_the_shared_gate_keep_their_precision(moe_checkpoint: Path) -> None:
    model, recorded = quantized(moe_checkpoint, 4)
    block = feed_forward(model)
    assert block.gate.weight.dtype == mx.float32
    assert block.shared_expert_gate.weight.dtype == mx.float32
    assert block.switch_mlp.gate_proj.weight.dtype == mx.uint32
    assert block.shared_expert.up_proj.weight.dtype == mx.uint32
    assert recorded["bits"] == 4
    assert recorded["group_size"] == 32
    assert recorded["model.layers.1.mlp.gate"] is False
    assert recorded["lm_head"]["bits"] == 6


def test_a_tied_embedding_keeps_eight_bits_and_the_config_says_so(checkpoint: Path) -> None:
    model, recorded = quantized(checkpoint, 4)
    assert model.model.embed_tokens.bits == 8
    assert feed_forward(model).up_proj.bits == 4
    assert recorded["model.embed_tokens"] == {"group_size": 32, "bits": 8, "mode": "affine"}


def test_layers_that_the_group_size_does_not_divide_are_left() -> None:
    model = build(ModelConfig.from_dict({**checkpoints.DENSE, "intermediate_size": 48}))
    recorded = quantize_model(model, 4, 32)
    assert not hasattr(feed_forward(model).down_proj, "bits")
    assert feed_forward(model).up_proj.bits == 4
    assert recorded["model.layers.1.mlp.down_proj"] is False


@pytest.mark.parametrize(("bits", "group_size"), [(7, 64), (1, 64), (4, 16), (4, 48)])
def test_settings_without_kernels_are_refused(bits: int, group_size: int) -> None:
    model = build(ModelConfig.from_dict(checkpoints.DENSE))
    with pytest.raises(Qwen2Error, match=r"not possible"):
        quantize_model(model, bits, group_size)
