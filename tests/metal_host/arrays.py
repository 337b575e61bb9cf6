"""MLX arrays as memory and back. numpy has no bfloat16: its bits travel as uint16."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np


def to_numpy(array: mx.array) -> np.ndarray:
    """The elements of `array` where they lie, with its strides."""
    return np.array(array.view(mx.uint16) if array.dtype == mx.bfloat16 else array, copy=False)


def from_numpy(values: np.ndarray, dtype: mx.Dtype) -> mx.array:
    """A copy of `values`, whose bits are elements of `dtype`."""
    array = mx.array(values)
    return array.view(dtype) if dtype == mx.bfloat16 else array


def empty_output(shape: Sequence[int], dtype: mx.Dtype, init_value: float | None) -> np.ndarray:
    """An output as a kernel finds it: filled with `init_value`, or with bits that are NaN or -1."""
    values = np.array(to_numpy(mx.full(tuple(shape), init_value or 0).astype(dtype)))
    if init_value is None:
        values.reshape(-1).view(np.uint8)[:] = 0xFF
    return values
