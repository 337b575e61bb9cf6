"""What the methods are worth on the bundled models, in nats of divergence from the original."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import mlx.core as mx
import numpy as np
import pytest

import qwen2_mlx
from quant.encode import decode, encode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.tokenizer import Tokenizer
from tests.quant.calibrated.chronicles import conversations, divergence, log_probabilities
from tests.quant.calibrated.layers import Tensors, calibrated, parameters, unpacked

BUNDLED = Path(qwen2_mlx.__file__).parent / "data"


class Case(NamedTuple):
    config: ModelConfig
    tensors: Tensors
    calibration: list[list[int]]
    texts: list[list[int]]
    reference: list[np.ndarray]


@cache
def case(name: str) -> Case:
    config, tensors = parameters(BUNDLED / name)
    tokenizer = Tokenizer.from_folder(BUNDLED / name)
    texts = conversations(tokenizer, "evaluation", 6)
    reference = log_probabilities(config, tensors, texts)
    return Case(config, tensors, conversations(tokenizer, "calibration", 6), texts, reference)


@cache
def measured(name: str, method: str, bits: int) -> float:
    """The divergence of a bundled model quantised with groups of 64 under the policy, scales in bfloat16."""
    config, tensors, calibration, texts, reference = case(name)
    recipe = Recipe("bfloat16", Format(bits, 64), method)
    if method in ("gptq", "awq"):
        outputs = calibrated(config, recipe, tensors, calibration)
        changed = unpacked(config, recipe, tensors, outputs)
    else:
        changed = {path: encoded(config, recipe, path, tensor) for path, tensor in tensors.items()}
    return divergence(reference, log_probabilities(config, {**tensors, **changed}, texts))


def encoded(config: ModelConfig, recipe: Recipe, name: str, tensor: mx.array) -> mx.array:
    """A parameter as a method without calibration leaves it."""
    format = format_of(recipe, config, name.removesuffix(".weight"), tensor.shape)
    if format is None:
        return tensor
    rows = tensor.reshape(-1, tensor.shape[-1]).astype(mx.bfloat16)
    return decode(encode(rows, format, recipe.method), format).reshape(tensor.shape)


@cache
def rounded_throughout(name: str, bits: int) -> float:
    """The divergence with every matrix at one width, embedding, head and router too, as mlx-lm converts."""
    config, tensors, _, texts, reference = case(name)
    changed = {
        path: mx.dequantize(*mx.quantize(tensor.astype(mx.bfloat16), 64, bits), group_size=64, bits=bits)
        if tensor.ndim > 1
        else tensor
        for path, tensor in tensors.items()
    }
    return divergence(reference, log_probabilities(config, changed, texts))


def test_gptq_is_better_than_a_fit_and_a_fit_better_than_rounding() -> None:
    assert measured("tiny", "gptq", 4) < 0.5 * measured("tiny", "fit", 4)
    assert measured("tiny", "fit", 4) < 0.9 * measured("tiny", "round", 4)


def test_gptq_at_four_bits_has_less_than_two_fifths_of_the_divergence_of_mlx_lm() -> None:
    assert measured("tiny", "gptq", 4) < 0.4 * rounded_throughout("tiny", 4)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("name", ["tiny", "tiny-moe"])
def test_the_order_of_the_methods_holds_for_experts_and_for_three_bits(name: str, bits: int) -> None:
    gptq, fit = measured(name, "gptq", bits), measured(name, "fit", bits)
    assert gptq < 0.7 * fit
    assert measured(name, "awq", bits) < 0.85 * measured(name, "round", bits)
    assert gptq < 0.4 * rounded_throughout(name, bits)
