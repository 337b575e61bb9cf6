"""Rows to quantise, and errors measured in float64."""

import mlx.core as mx
import numpy as np

from quant.encode import decode
from quant.format import Format

DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}
DISTRIBUTIONS = ("gaussian", "laplace", "t5")


def random_rows(distribution: str = "gaussian", dtype: str = "bfloat16", shape=(96, 896)) -> mx.array:
    """Rows (n, in) of independent weights of about the size of a model's."""
    random = np.random.default_rng(7)
    values = {
        "gaussian": random.standard_normal,
        "laplace": random.laplace,
        "t5": lambda size: random.standard_t(5, size),
    }[distribution](size=shape)
    return mx.array((0.02 * values).astype(np.float32)).astype(DTYPES[dtype])


def float64(values: mx.array) -> np.ndarray:
    return np.array(values.astype(mx.float32)).astype(np.float64)


def squared_errors(rows: mx.array, parts: dict[str, mx.array], format: Format) -> np.ndarray:
    """Each group's sum of squares of what is lost."""
    lost = float64(decode(parts, format)) - float64(rows)
    return (lost**2).reshape(-1, format.group_size).sum(axis=1)
