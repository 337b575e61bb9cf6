"""Matrices with correlated inputs, and random models whose layers are quantised one after the other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from quant.calibrated.calibrator import Calibrator
from quant.encode import decode, encode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.models import Model

Tensors = dict[str, mx.array]

PARTS = ("weight", "scales", "biases")


def correlated(
    width: int = 256, rows: int = 96, count: int = 2048, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, width), most of them in an eighth of the dimensions, and weights (rows, width)."""
    rng = np.random.default_rng(seed)
    few = width // 8
    inputs = rng.normal(size=(count, few)) * np.linspace(1, 0.05, few) @ rng.normal(size=(few, width))
    inputs += 0.2 * rng.normal(size=inputs.shape)
    return inputs.astype(np.float32), (0.02 * rng.standard_t(5, size=(rows, width))).astype(np.float32)


def decoded(codes: np.ndarray, scales: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """The weights (out, in) that codes, scales and biases stand for, float64."""
    groups = codes.reshape(*scales.shape, -1).astype(np.float64)
    return (groups * scales[..., None] + biases[..., None]).reshape(codes.shape)


def plainly_rounded(weight: np.ndarray, format: Format, dtype: str = "float32") -> np.ndarray:
    """What `mx.quantize` makes of the weights in a type."""
    parts = encode(mx.array(weight).astype(getattr(mx, dtype)), format, "round")
    return np.array(decode(parts, format))


def output_error(inputs: np.ndarray, weight: np.ndarray, changed: np.ndarray) -> float:
    """The squared change of the layer's output."""
    return float(np.square(inputs.astype(np.float64) @ (changed - weight.astype(np.float64)).T).sum())


def parameters(folder: Path) -> tuple[ModelConfig, Tensors]:
    """The config of a checkpoint and its parameters under the model's names, float32."""
    config = read_config(folder)
    return config, dict(tree_flatten(load_model(folder, config).parameters()))


def of_layer(tensors: Mapping[str, mx.array], index: int) -> Tensors:
    """The parameters of one decoder layer."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(f"model.layers.{index}.")}


def outside_layers(config: ModelConfig, recipe: Recipe, tensors: Tensors) -> Tensors:
    """Embedding, head and final norm as the recipe makes them with a plain fit, packed."""
    outputs: Tensors = {}
    for name, tensor in tensors.items():
        if ".layers." in name:
            continue
        path = name.removesuffix(".weight")
        format = format_of(recipe, config, path, tensor.shape)
        outputs |= (
            {f"{path}.{part}": value for part, value in encode(tensor, format).items()}
            if format
            else {name: tensor}
        )
    return outputs


def calibrated(
    config: ModelConfig, recipe: Recipe, tensors: Tensors, texts: Sequence[Sequence[int]]
) -> Tensors:
    """All tensors of the quantised model, as a checkpoint holds them."""
    outputs = outside_layers(config, recipe, tensors)
    embedding = unpacked(config, recipe, tensors, outputs)["model.embed_tokens.weight"]
    calibrator = Calibrator(config, recipe, texts)
    calibrator.start(lambda ids: embedding[mx.array(ids)])
    for index in range(config.num_hidden_layers):
        outputs |= calibrator.quantize_layer(index, of_layer(tensors, index))
    return outputs


def unpacked(
    config: ModelConfig, recipe: Recipe, tensors: Mapping[str, mx.array], outputs: Mapping[str, mx.array]
) -> Tensors:
    """The float parameters that `outputs` stand for; `tensors` says what they were."""
    floats: Tensors = {}
    for name, tensor in tensors.items():
        path = name.removesuffix(".weight")
        if f"{path}.scales" in outputs:
            format = format_of(recipe, config, path, tensor.shape)
            assert format
            floats[name] = decode({part: outputs[f"{path}.{part}"] for part in PARTS}, format)
        elif name in outputs:
            floats[name] = outputs[name]
    return floats


def fill(model: Model, tensors: Mapping[str, mx.array]) -> Model:
    """`model` with these weights."""
    model.load_weights([(name, tensor.astype(mx.float32)) for name, tensor in tensors.items()])
    return model
