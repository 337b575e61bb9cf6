"""How far the import type moves the weights of a group."""

import mlx.core as mx
import numpy as np


def largest_error(scales: np.ndarray, zeros: np.ndarray, bits: int, dtype: mx.Dtype) -> float:
    """The largest error, in steps of its group, that scales and biases rounded to `dtype` give a code.

    `scales` float32 and `zeros` uint8 have one shape. The error is linear in the code, so the
    lowest and the highest code bound it.
    """
    exact = scales.astype(np.float64)
    biases = -(zeros * exact)
    rounded_scales, rounded_biases = (_rounded(value, dtype) for value in (exact, biases))
    worst = 0.0
    for code in (0, 2**bits - 1):
        with np.errstate(invalid="ignore"):  # what overflows is refused where it is read
            errors = np.abs(rounded_scales * code + rounded_biases - (exact * code + biases))
        steps = np.divide(errors, np.abs(exact), out=np.zeros_like(errors), where=exact != 0)
        worst = max(worst, float(steps.max(initial=0.0)))
    return worst


def _rounded(values: np.ndarray, dtype: mx.Dtype) -> np.ndarray:
    """float64 `values` as `dtype` holds them; scale times zero fits float32, so it is rounded once."""
    numbers = mx.array(values.astype(np.float32)).astype(dtype).astype(mx.float32)
    return np.array(numbers).astype(np.float64)
