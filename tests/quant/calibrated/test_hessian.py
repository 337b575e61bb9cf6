"""The sum of outer products and its triangular factor."""

import mlx.core as mx
import numpy as np
import pytest

from quant.calibrated import hessian
from quant.calibrated.hessian import DAMPING, Hessian, factor
from tests.quant.calibrated.layers import correlated


def summed(*parts: np.ndarray) -> Hessian:
    result = Hessian(parts[0].shape[1])
    for part in parts:
        result.add(mx.array(part))
    return result


@pytest.mark.parametrize("panel", [1024, 48])
def test_the_upper_triangle_is_the_sum_over_all_rows(panel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hessian, "PANEL", panel)
    inputs, _ = correlated(width=128)
    result = summed(inputs[:300], inputs[300:301], inputs[301:])
    expected = inputs.T.astype(np.float64) @ inputs
    assert result.rows == len(inputs)
    np.testing.assert_allclose(result.diagonal(), np.diagonal(expected), rtol=1e-5)
    np.testing.assert_allclose(np.triu(result.take()), np.triu(expected), atol=1e-5 * expected.max())


@pytest.mark.parametrize("panel", [1024, 48])
def test_the_factor_times_its_transpose_is_the_damped_matrix(
    panel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hessian, "PANEL", panel)
    inputs, _ = correlated(width=128)
    expected = inputs.T.astype(np.float64) @ inputs
    expected += DAMPING * np.diagonal(expected).mean() * np.eye(128)
    triangle = factor(summed(inputs).take())
    assert not np.tril(triangle, -1).any()
    product = triangle.astype(np.float64) @ triangle.T
    np.testing.assert_allclose(product, expected, atol=3e-6 * expected.max())


def test_inputs_that_no_text_reached_give_the_identity() -> None:
    assert np.array_equal(factor(Hessian(64).take()), np.eye(64, dtype=np.float32))
    empty = summed(np.zeros((0, 64), np.float32))
    assert empty.rows == 0
    assert np.array_equal(factor(empty.take()), np.eye(64, dtype=np.float32))


def test_a_matrix_that_rounding_left_indefinite_still_gets_a_factor() -> None:
    one = np.full((200, 200), 1e6, np.float32)
    one[7, 8] *= 1.5  # no sum of outer products is like this
    triangle = factor(one, damping=1e-9)
    assert np.isfinite(triangle).all()
    assert (np.diagonal(triangle) > 0).all()


def test_a_borrowed_statistic_counts_with_its_rows() -> None:
    inputs, _ = correlated(width=64)
    few, all_rows = summed(inputs[:10]), summed(inputs)
    few.add_scaled(all_rows, 54 / all_rows.rows)
    assert few.rows == 64
    expected = inputs[:10].T @ inputs[:10] + 54 / len(inputs) * (inputs.T @ inputs)
    np.testing.assert_allclose(np.triu(few.take()), np.triu(expected), atol=1e-5 * expected.max())
