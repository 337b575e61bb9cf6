"""Huge key biases cost quantised keys no accuracy, at any position and in any chunk."""

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.positions import key_positions
from qwen2_mlx.attention.rope import Rope
from qwen2_mlx.cache import KVFormat, QuantizedKVCache
from qwen2_mlx.config import DualChunkConfig, RopeConfig

HEAD_DIM, KV_HEADS, TOKENS = 64, 2, 700
CHUNKS = DualChunkConfig(chunk_size=320, local_size=20, original_max_position_embeddings=320, reach=3200)


def turned(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The rotation of (heads, time, head_dim) in float64."""
    half = HEAD_DIM // 2
    angles = positions[:, None] * 1e6 ** (-np.arange(half) / half)
    first, second = x[..., :half].astype(np.float64), x[..., half:].astype(np.float64)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


@pytest.fixture(params=[None, CHUNKS], ids=["plain", "chunks"])
def dual_chunk(request: pytest.FixtureRequest) -> DualChunkConfig | None:
    return request.param


def biases() -> np.ndarray:
    bias = np.random.default_rng(1).standard_normal((KV_HEADS, HEAD_DIM)).astype(np.float32)
    bias[:, [3, 30, 40]] *= 200
    return bias


def make_key_bias(dual_chunk: DualChunkConfig | None) -> KeyBias:
    return KeyBias(mx.array(biases()), Rope(RopeConfig(1e6), HEAD_DIM), dual_chunk)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 700), (0, 300), (300, 600), (37, 411), (699, 700)])
def test_the_bias_is_where_a_rotation_puts_it(
    dual_chunk: DualChunkConfig | None, start: int, stop: int
) -> None:
    right = turned(biases()[:, None], key_positions(start, stop - start, dual_chunk))
    ours = np.array(make_key_bias(dual_chunk).at(start, stop))[0]
    assert np.abs(ours - right).max() < 2e-7 * np.abs(right).max() * 4


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 700), (0, 300), (300, 600), (37, 411), (699, 700)])
def test_scores_with_the_bias_equal_products_with_each_rotated_bias(
    dual_chunk: DualChunkConfig | None, start: int, stop: int
) -> None:
    queries = np.random.default_rng(2).standard_normal((1, KV_HEADS, 3, HEAD_DIM)).astype(np.float32)
    right = queries @ turned(biases()[:, None], key_positions(start, stop - start, dual_chunk)).swapaxes(1, 2)
    ours = np.array(make_key_bias(dual_chunk).scores(mx.array(queries), start, stop))
    assert ours.shape == right.shape
    assert np.abs(ours - right).max() < 1e-5 * np.abs(right).max()


def test_quantised_keys_with_huge_biases_are_as_exact_as_keys_without(
    dual_chunk: DualChunkConfig | None,
) -> None:
    rng = np.random.default_rng(3)
    positions = key_positions(0, TOKENS, dual_chunk)
    content = turned(rng.standard_normal((KV_HEADS, TOKENS, HEAD_DIM)).astype(np.float32), positions)
    bias = turned(biases()[:, None], positions)
    queries = rng.standard_normal((1, KV_HEADS, 3, HEAD_DIM)).astype(np.float32)
    right = queries @ (content + bias).swapaxes(1, 2)

    def error(keys: np.ndarray, key_bias: KeyBias | None) -> float:
        cache = QuantizedKVCache(KVFormat(8, 8), HEAD_DIM, key_bias)
        keys_array = mx.array(keys.astype(np.float32))[None]
        store = cache.append(keys_array, mx.zeros_like(keys_array))
        by_scores = np.array(store.scores(mx.array(queries), 0, TOKENS))
        by_tile = queries @ np.array(store.tile(0, TOKENS)[0]).swapaxes(2, 3)
        return max(np.abs(found - right).max() for found in (by_scores, by_tile))

    handled, naive = error(content, make_key_bias(dual_chunk)), error(content + bias, None)
    assert handled < 0.5
    assert naive > 20 * handled
