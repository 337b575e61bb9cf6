"""What a checkpoint offers to the converter, whatever its format: weights that are read row by row."""

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from quant.format import Format


@dataclass(frozen=True)
class FloatWeight:
    """A parameter in floating point.

    `name` is the model's own (experts stacked: `model.layers.0.mlp.switch_mlp.up_proj.weight`),
    `dtype` what it is stored as: float32, float16 or bfloat16. `rows(start, stop)` reads some
    rows, all leading axes taken together, as (stop - start, shape[-1]); a vector is one row.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    rows: Callable[[int, int], mx.array]


@dataclass(frozen=True)
class Codes:
    """Rows of a quantised matrix: codes uint8 (rows, in), scales and biases float32 (rows, groups).

    A weight is scale x code + bias.
    """

    codes: mx.array
    scales: mx.array
    biases: mx.array


@dataclass(frozen=True)
class CodedWeight:
    """A matrix that its source holds quantised, whose integer codes are kept.

    `name` and `shape` are those of the matrix (..., out, in); `dtype` is the type its scales and
    biases are to be written in. `rows` is as in `FloatWeight`.
    """

    name: str
    shape: tuple[int, ...]
    format: Format
    dtype: str
    rows: Callable[[int, int], Codes]


Weight = FloatWeight | CodedWeight
