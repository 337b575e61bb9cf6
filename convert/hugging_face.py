"""A Hugging Face checkpoint in floating point becomes an MLX folder, optionally quantised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten

from convert.config_dialects import in_both_dialects
from convert.writer import copy_companions, new_folder, write_json, write_weights
from quant.affine import quantize_model, undivided_layers
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.loading import DTYPES, read_config
from qwen2_mlx.models import build
from qwen2_mlx.weights import assign, read_tensors


@dataclass(frozen=True)
class Recipe:
    """What to make of the weights: their floating-point type, and bits where quantised."""

    dtype: str | None = None
    bits: int | None = None
    group_size: int = 64


@dataclass(frozen=True)
class Report:
    """What came out: bytes of weights, and the layers that a group size did not divide."""

    weight_bytes: int
    parameters: int
    undivided: list[str]

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.weight_bytes / self.parameters


def convert_folder(
    source: Path, target: Path, recipe: Recipe, on_shard: Callable[[int, int], None] | None = None
) -> Report:
    """Writes the MLX folder `target` from the checkpoint in `source`.

    `target` appears only when it is complete. Raises a `Qwen2Error` for a source that
    cannot be read, is quantised already, or a target that cannot be written.
    """
    config = read_config(source)
    if config.quantization:
        raise CheckpointError(f"{source} is quantised already; convert its floating-point original")
    model = build(config)
    tensors = model.sanitize(read_tensors(source))
    assign(model, tensors, source)
    parameters = sum(tensor.size for tensor in tensors.values())
    dtype = recipe.dtype or _dtype_of(config, tensors)
    model.set_dtype(DTYPES[dtype])

    raw = in_both_dialects(read_json_object(source / "config.json"), config, dtype)
    undivided: list[str] = []
    if recipe.bits:
        undivided = undivided_layers(model, recipe.group_size)
        raw["quantization"] = raw["quantization_config"] = quantize_model(
            model, recipe.bits, recipe.group_size
        )

    weights: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    size = sum(weight.nbytes for weight in weights.values())
    del model, tensors
    with new_folder(target) as folder:
        write_weights(folder, weights, on_shard)
        write_json(folder / "config.json", raw)
        copy_companions(source, folder)
    return Report(size, parameters, undivided)


def _dtype_of(config: ModelConfig, tensors: dict[str, mx.array]) -> str:
    """The type the config names, else the type of the embedding."""
    if config.dtype in DTYPES:
        return config.dtype
    stored = str(tensors["model.embed_tokens.weight"].dtype).removeprefix("mlx.core.")
    return stored if stored in DTYPES else "float32"
