"""What a finished folder shows of itself: its types, sizes and quantisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from convert.safetensors_file import stored_tensors
from convert.target import parameters
from qwen2_mlx.loading import read_config


@dataclass(frozen=True)
class Summary:
    """A model folder in numbers.

    `dtype` is the type of what is not quantised, `permuted` whether matrices take their inputs in
    an order of their own.
    """

    model_type: str
    dtype: str
    quantization: Mapping[str, Any]
    weight_bytes: int
    parameters: int
    permuted: bool

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.weight_bytes / self.parameters


def summary_of(folder: Path) -> Summary:
    """Reads config.json and the headers of the weights. Raises a `Qwen2Error` when they are damaged."""
    config = read_config(folder)
    stored = stored_tensors(folder)
    return Summary(
        config.model_type,
        config.dtype or "float32",
        config.quantization or {},
        sum(tensor.nbytes for tensor in stored.values()),
        sum(prod(shape) for shape in parameters(config).values()),
        any(name.endswith(".perm") for name in stored),
    )
