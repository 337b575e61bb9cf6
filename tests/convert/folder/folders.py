"""Small MLX folders made with MLX's own quantiser, whose every number a test can compute again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from convert.folder.config import output_config
from quant.format import Format
from quant.policy import quantization_config
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build
from tests import checkpoints
from tests.golden.weights import make_weights

Q4 = Format(4, 32)


def mlx_tensors(config: Mapping[str, Any], dtype: mx.Dtype = mx.float32) -> dict[str, mx.array]:
    """The weights of the checkpoint that `tests.checkpoints` writes, under MLX's names."""
    arrays = {name: mx.array(array).astype(dtype) for name, array in make_weights(config, 0).items()}
    return build(ModelConfig.from_dict(config)).sanitize(arrays)


def matrices(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Paths and shapes of the modules that the tests quantise: all but the router and its like."""
    named: dict[str, mx.array] = dict(tree_flatten(build(ModelConfig.from_dict(config)).parameters()))
    return {
        name.removesuffix(".weight"): weight.shape
        for name, weight in named.items()
        if weight.ndim > 1 and not name.endswith(("mlp.gate.weight", "shared_expert_gate.weight"))
    }


def write_mlx_folder(
    folder: Path,
    config: Mapping[str, Any] = checkpoints.DENSE,
    formats: Mapping[str, Format | None] | Format | None = Q4,
    dtype: str = "float32",
) -> dict[str, mx.array]:
    """Writes an MLX folder and returns its tensors; `formats` by path of the module, or one for all."""
    checkpoints.write_checkpoint(folder, config)
    tensors = mlx_tensors(config, getattr(mx, dtype))
    shapes = matrices(config)
    if not isinstance(formats, Mapping):
        formats = dict.fromkeys(shapes, formats)
    formats = {path: format for path, format in formats.items() if _divides(format, shapes[path])}
    for path, format in formats.items():
        if format:
            tensors |= quantized(path, tensors.pop(f"{path}.weight"), format)
    save(folder, tensors)
    raw = json.loads((folder / "config.json").read_text())
    settings = quantization_config(_recipe(formats), dict(formats))
    written = output_config(raw, ModelConfig.from_dict(raw), dtype, settings)
    checkpoints.write_json(folder / "config.json", written)
    return tensors


def quantized(path: str, weight: mx.array, format: Format) -> dict[str, mx.array]:
    """What MLX makes of one matrix, by tensor name."""
    parts = mx.quantize(weight, format.group_size, format.bits, format.mode)
    return {f"{path}.{kind}": part for kind, part in zip(("weight", "scales", "biases"), parts, strict=False)}


def save(folder: Path, tensors: Mapping[str, mx.array]) -> None:
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tensors), {"format": "mlx"})


def as_numpy(tensor: mx.array) -> np.ndarray:
    return np.array(tensor.astype(mx.float32))


def _divides(format: Format | None, shape: tuple[int, ...]) -> bool:
    return format is None or shape[-1] % format.group_size == 0


def _recipe(formats: Mapping[str, Format | None]):
    from quant.recipe import Recipe

    return Recipe(format=next((format for format in formats.values() if format), None))
