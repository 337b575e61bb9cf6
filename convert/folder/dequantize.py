"""An MLX folder as a source of floating-point weights under Hugging Face names.

For everything that does not read MLX's codes: transformers, vLLM, other converters. Each
weight is scale x code + bias in float32, which the writer rounds once, to the type of the
scales unless another is asked for. Experts are given one by one, as the family's checkpoints
have them, and columns go back to the order of the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.float_source import fingerprint_of
from convert.folder.companions import companions_of
from convert.folder.layout import FLOATS, StoredWeight, layout_of
from convert.folder.stacked import EXPERTS, expert_names
from convert.safetensors_file import stored_tensors
from convert.weights import FloatWeight
from quant.format import Format
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.loading import DTYPES


@dataclass(frozen=True)
class DequantizedSource:
    """A quantised MLX folder in floating point; see `convert.source.Source`."""

    path: Path
    config: dict[str, Any]
    weights: list[FloatWeight]
    files: set[Path] = field(repr=False)
    notes: list[str] = field(default_factory=list)
    format: Format | None = None
    permutations: Mapping[str, Any] = field(default_factory=dict)
    wishes: Mapping[str, Format] = field(default_factory=dict)

    def fingerprint(self) -> str:
        return fingerprint_of(read_json_object(self.path / "config.json"), self.files)

    def companions(self) -> dict[str, Path | bytes]:
        return companions_of(self.path)


def open_quantized(folder: Path) -> DequantizedSource:
    """The weights of the MLX folder `folder` as floating-point rows; only headers are read here.

    Raises a `Qwen2Error` for a folder that is damaged or not quantised.
    """
    layout = layout_of(folder)
    if layout.problems:
        name, problem = next(iter(layout.problems.items()))
        raise CheckpointError(f"{folder}: tensor {name} {problem}")
    if not any(weight.format for weight in layout.weights):
        raise CheckpointError(f"{folder} is not quantised, so there is nothing to dequantise")
    dtype = _dtype(layout.weights, layout.config.dtype)
    raw = read_json_object(folder / "config.json")
    config = {key: raw[key] for key in raw if key not in ("quantization", "quantization_config")}
    config |= {"torch_dtype": dtype, "dtype": dtype}
    weights = [one for stored in layout.weights for one in _floats(stored)]
    files = {tensor.file for tensor in stored_tensors(folder).values()}
    return DequantizedSource(folder, config, weights, files)


def _dtype(weights: list[StoredWeight], named: str | None) -> str:
    """The type of scales; where they are bytes, that which the config names or the norms have."""
    stored = (weight.parts.get("scales") for weight in weights)
    scales = next((FLOATS[tensor.dtype] for tensor in stored if tensor and tensor.dtype in FLOATS), None)
    if scales or named in DTYPES:
        return scales or str(named)
    return next(FLOATS[weight.parts["weight"].dtype] for weight in weights if weight.format is None)


def _floats(stored: StoredWeight) -> list[FloatWeight]:
    """The parameter, or each of the experts that it stacks."""
    dtype = "float32" if stored.format else FLOATS[stored.parts["weight"].dtype]
    if EXPERTS not in stored.name:
        return [FloatWeight(stored.name, stored.shape, dtype, stored.decoded)]
    experts, rows, width = stored.shape
    return [
        FloatWeight(name, (rows, width), dtype, _from(stored, expert * rows))
        for expert, name in enumerate(expert_names(stored.name, experts))
    ]


def _from(stored: StoredWeight, first: int) -> Callable[[int, int], mx.array]:
    """Reads rows of `stored`, counted from row `first` on."""
    return lambda start, stop: stored.decoded(first + start, first + stop)
