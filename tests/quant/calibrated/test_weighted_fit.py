"""Scales and biases of groups whose columns do not count alike."""

from typing import cast

import mlx.core as mx
import numpy as np
import pytest

from quant.calibrated.awq import AWQ
from quant.calibrated.gptq import GPTQ
from quant.calibrated.walk import Method
from quant.calibrated.weighted_fit import encode_groups, fit_groups, stored
from quant.format import BITS, Format
from tests.quant.calibrated.layers import plainly_rounded

DTYPES = ("float32", "float16", "bfloat16")


def fitted(groups: np.ndarray, importance: np.ndarray, bits: int, dtype: str = "float32") -> np.ndarray:
    scale, bias = fit_groups(groups, importance, bits, dtype)
    codes = encode_groups(groups, scale[:, None], bias[:, None], np.float32(2**bits - 1))
    return codes * scale[:, None] + bias[:, None]


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_rounded_as_mlx_rounds_them(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=4096) * 10.0 ** rng.uniform(-9, 4, size=4096)).astype(np.float32)
    expected = mx.array(values).astype(getattr(mx, dtype)).astype(mx.float32)
    assert np.array_equal(stored(values, dtype), np.array(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
def test_important_columns_come_out_better_than_by_plain_rounding(bits: int, dtype: str) -> None:
    rng = np.random.default_rng(bits)
    groups = stored(rng.normal(size=(500, 64)).astype(np.float32), dtype)
    importance = rng.exponential(size=(1, 64)).astype(np.float32) ** 3
    plain = plainly_rounded(groups, Format(bits, 64), dtype)
    error = (importance * np.square(fitted(groups, importance, bits, dtype) - groups)).sum()
    assert error < 0.75 * (importance * np.square(plain - groups)).sum()


@pytest.mark.parametrize("method", [GPTQ(), AWQ()])
def test_a_single_input_does_not_decide_which_columns_matter(method: GPTQ | AWQ) -> None:
    """As an expert sees it that hardly any text reached: others must not pay for that one input."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(2001, 256)).astype(np.float32) ** 3
    weight = rng.normal(size=(64, 256)).astype(np.float32)

    def error(seen: int) -> float:
        statistic = method.statistic(256)
        statistic.add(mx.array(rows[:seen]))
        solve = cast(Method, method).solver(statistic)
        codes, scales, biases = solve(weight, Format(4, 64), "float32")
        changed = codes * np.repeat(scales, 64, axis=1) + np.repeat(biases, 64, axis=1) - weight
        return float(np.square(rows[1:] @ changed.T).sum())

    assert error(1) < 1.05 * error(0)


def test_equal_importance_and_none_at_all_are_the_same() -> None:
    groups = np.random.default_rng(1).normal(size=(50, 32)).astype(np.float32)
    zeros, ones = np.zeros((1, 32), np.float32), np.ones((1, 32), np.float32)
    assert np.array_equal(fitted(groups, zeros, 4), fitted(groups, ones, 4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 1e-30, -0.37, 6e4])
def test_a_group_of_one_value_stays_that_value(value: float, dtype: str) -> None:
    groups = np.full((3, 64), value, np.float32)
    ones = np.ones((1, 64), np.float32)
    got = fitted(groups, ones, 4, dtype)
    np.testing.assert_array_equal(got, stored(groups, dtype))


def test_values_too_small_for_float16_give_no_division_by_zero() -> None:
    groups = np.random.default_rng(2).normal(size=(4, 64)).astype(np.float32) * np.float32(1e-9)
    with np.errstate(all="raise", under="ignore"):
        got = fitted(groups, np.ones((1, 64), np.float32), 4, "float16")
    assert np.abs(got).max() <= 1e-7
