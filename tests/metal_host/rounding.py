"""How far a kernel's result may be from a reference in double precision: what rounding explains."""

import mlx.core as mx
import numpy as np

#: The distance from 1 to the next number.
EPSILON = {mx.float32: 2.0**-23, mx.float16: 2.0**-10, mx.bfloat16: 2.0**-7}
DTYPES = list(EPSILON)


def as_double(array: mx.array) -> np.ndarray:
    """The exact values of `array`, in double precision."""
    return np.array(array.astype(mx.float32)).astype(np.float64)


def assert_rounding_level(result: mx.array, reference: np.ndarray, steps: float) -> None:
    """The largest error is at most `steps` steps of the result's dtype, as wide as at the largest value."""
    values = as_double(result)
    assert values.shape == reference.shape
    assert np.isfinite(values).all(), f"{np.count_nonzero(~np.isfinite(values))} results are not finite"
    error = np.abs(values - reference).max()
    allowed = steps * EPSILON[result.dtype] * np.abs(reference).max()
    assert error <= allowed, f"error {error:.2e}, allowed {allowed:.2e}"
