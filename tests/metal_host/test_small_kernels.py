"""Kernels of the kind MLX's documentation shows compute what they must, in any order of their threads."""

import mlx.core as mx
import numpy as np
import pytest

from .host import MetalHost
from .rounding import DTYPES, as_double, assert_rounding_level
from .small_kernels import assert_rms_norm_is_right, exp, histogram


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exp_of_any_strides_is_exact_to_rounding(host: MetalHost, dtype: mx.Dtype) -> None:
    x = mx.random.normal((6, 8, 5), key=mx.random.key(0)).astype(dtype)
    for view in (x, x[::2, 1:, ::-1], x.transpose(2, 0, 1), mx.broadcast_to(x[:, :1], x.shape)):
        assert_rounding_level(exp(host, view), np.exp(as_double(view)), steps=1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rms_norm_is_exact_to_rounding(ordered: MetalHost, dtype: mx.Dtype) -> None:
    assert_rms_norm_is_right(ordered, dtype=dtype)


def test_atomic_counts_are_exact(ordered: MetalHost) -> None:
    values = mx.random.randint(0, 5, (200,), key=mx.random.key(0))
    counts = np.bincount(np.array(values), minlength=5)
    assert histogram(ordered, values, 5).tolist() == counts.tolist()
