"""Attention in blocks equals the softmax formula in float64."""

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.attention import attend as module
from qwen2_mlx.attention.attend import attend


def formula(queries: np.ndarray, keys: np.ndarray, values: np.ndarray, scale: float) -> np.ndarray:
    """softmax(q k / sqrt(d)) v over the keys up to each query, in float64."""
    group, past = queries.shape[1] // keys.shape[1], keys.shape[2] - queries.shape[2]
    keys, values = (np.repeat(part, group, axis=1).astype(np.float64) for part in (keys, values))
    scores = queries.astype(np.float64) @ keys.swapaxes(-1, -2) * scale
    allowed = np.arange(keys.shape[2]) <= past + np.arange(queries.shape[2])[:, None]
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True)) * allowed
    return weights / weights.sum(axis=-1, keepdims=True) @ values


@pytest.mark.parametrize("block", [1, 5, 16, 128])
@pytest.mark.parametrize(("new", "past"), [(1, 0), (2, 0), (16, 0), (17, 0), (33, 9), (7, 40)])
def test_blocks_of_any_size_equal_the_formula(
    block: int, new: int, past: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUERY_BLOCK", block)
    rng = np.random.default_rng(7)
    queries = rng.standard_normal((2, 6, new, 8), np.float32)
    keys, values = (rng.standard_normal((2, 2, past + new, 8), np.float32) for _ in range(2))
    got = attend(
        mx.array(queries), mx.array(keys), mx.array(values), cache=None, scale=8**-0.5, mask="causal"
    )
    assert np.abs(np.array(got) - formula(queries, keys, values, 8**-0.5)).max() < 2e-6


def test_a_mask_that_is_an_array_is_obeyed() -> None:
    rng = np.random.default_rng(8)
    queries, keys, values = (mx.array(rng.standard_normal((1, 2, 4, 8), np.float32)) for _ in range(3))
    only_itself = mx.eye(4).astype(mx.bool_)
    got = attend(queries, keys, values, cache=None, scale=1.0, mask=only_itself)
    assert mx.allclose(got, values, atol=1e-6)
