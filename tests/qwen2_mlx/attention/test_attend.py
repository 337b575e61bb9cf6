"""Attention over spans, by every path, equals the softmax formula in float64."""

from collections.abc import Sequence
from itertools import pairwise

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.attention import attend as module
from qwen2_mlx.attention import tiles
from qwen2_mlx.attention.attend import attend
from qwen2_mlx.attention.stores import DenseStore, Quantized, QuantizedStore, Store
from qwen2_mlx.attention.tiles import QuerySpan, tiled, whole_rows
from qwen2_mlx.errors import PromptError

HEADS, KV_HEADS, HEAD_DIM = 6, 2, 32
SCALE = HEAD_DIM**-0.5

#: (span borders, new queries): the last span is causal and ends with the queries' own keys.
SHAPES = [
    ((0, 1), 1),
    ((0, 17), 17),
    ((0, 40), 7),
    ((0, 20, 37), 17),
    ((0, 20, 37), 1),
    ((0, 16, 32, 45), 9),
    ((0, 16, 32, 33), 1),
]


def formula(spans: Sequence[tuple[np.ndarray, int, int]], keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """One softmax over all spans; the last is causal; in float64."""
    group = HEADS // KV_HEADS
    keys, values = (np.repeat(part, group, axis=1).astype(np.float64) for part in (keys, values))
    scores = [
        queries.astype(np.float64) @ keys[:, :, start:stop].swapaxes(-1, -2) for queries, start, stop in spans
    ]
    count, own = scores[-1].shape[-2:]
    future = np.arange(own) > own - count + np.arange(count)[:, None]
    scores[-1] = np.where(future, -np.inf, scores[-1])
    joined = np.concatenate(scores, axis=-1) * SCALE
    weights = np.exp(joined - joined.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ values[:, :, : spans[-1][2]]


def random_case(
    borders: tuple[int, ...], time: int, seed: int = 7
) -> tuple[list[tuple[np.ndarray, int, int]], np.ndarray, np.ndarray]:
    """Spans with different queries each, and keys and values a little longer than they need."""
    rng = np.random.default_rng(seed)
    spans = [
        (2 * rng.standard_normal((2, HEADS, time, HEAD_DIM), np.float32), start, stop)
        for start, stop in pairwise(borders)
    ]
    keys, values = (rng.standard_normal((2, KV_HEADS, borders[-1], HEAD_DIM), np.float32) for _ in range(2))
    return spans, keys, values


def as_arrays(spans: Sequence[tuple[np.ndarray, int, int]]) -> list[QuerySpan]:
    return [QuerySpan(mx.array(queries), start, stop) for queries, start, stop in spans]


@pytest.mark.parametrize(("borders", "time"), SHAPES)
@pytest.mark.parametrize("tile", [3, 16, 1024])
@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_tiles_of_any_size_equal_the_formula(
    borders: tuple[int, ...], time: int, tile: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_KEYS", tile)
    monkeypatch.setattr(tiles, "workspace", lambda: rows * 4 * 2 * HEADS * tile)
    spans, keys, values = random_case(borders, time)
    got = tiled(as_arrays(spans), DenseStore(mx.array(keys), mx.array(values)), SCALE)
    assert np.abs(np.array(got) - formula(spans, keys, values)).max() < 4e-6


@pytest.mark.parametrize(("borders", "time"), SHAPES)
def test_whole_rows_equal_the_formula(borders: tuple[int, ...], time: int) -> None:
    spans, keys, values = random_case(borders, time)
    got = whole_rows(as_arrays(spans), DenseStore(mx.array(keys), mx.array(values)), SCALE)
    assert np.abs(np.array(got) - formula(spans, keys, values)).max() < 4e-6


@pytest.mark.parametrize(("borders", "time"), SHAPES)
@pytest.mark.parametrize("workspace", [1, 2**30])
def test_the_path_that_is_chosen_equals_the_formula(
    borders: tuple[int, ...], time: int, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "workspace", lambda: workspace)
    spans, keys, values = random_case(borders, time)
    store = DenseStore(mx.array(keys), mx.array(values))
    got = attend(as_arrays(spans), store, scale=SCALE, mask="causal")
    assert np.abs(np.array(got) - formula(spans, keys, values)).max() < 4e-6


@pytest.mark.parametrize("block", [1, 5, 16, 128])
@pytest.mark.parametrize(("borders", "time"), [shape for shape in SHAPES if len(shape[0]) == 2])
def test_blocks_of_any_size_equal_the_formula(
    borders: tuple[int, ...], time: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUERY_BLOCK", block)
    spans, keys, values = random_case(borders, time)
    store = DenseStore(mx.array(keys), mx.array(values))
    got = attend(as_arrays(spans), store, scale=SCALE, mask="causal")
    assert np.abs(np.array(got) - formula(spans, keys, values)).max() < 4e-6


def quantized(x: np.ndarray, bits: int) -> tuple[Quantized, np.ndarray]:
    """`x` in MLX's quantisation, and the numbers that stands for."""
    codes, scales, biases = mx.quantize(mx.array(x), group_size=32, bits=bits)
    meant = mx.dequantize(codes, scales, biases, group_size=32, bits=bits)
    return Quantized((codes, scales, biases), 32, bits), np.array(meant)


@pytest.mark.parametrize(("borders", "time"), SHAPES)
@pytest.mark.parametrize("workspace", [1, 2**30])
def test_quantised_keys_and_values_are_read_for_what_they_stand_for(
    borders: tuple[int, ...], time: int, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "workspace", lambda: workspace)
    monkeypatch.setattr(tiles, "TILE_KEYS", 8)
    spans, keys, values = random_case(borders, time)
    (stored_keys, meant_keys), (stored_values, meant_values) = quantized(keys, 8), quantized(values, 4)
    got = attend(as_arrays(spans), QuantizedStore(stored_keys, stored_values), scale=SCALE, mask="causal")
    assert np.abs(np.array(got) - formula(spans, meant_keys, meant_values)).max() < 4e-6


@pytest.mark.parametrize(("borders", "time"), SHAPES)
def test_keys_in_half_precision_are_computed_with_in_full(borders: tuple[int, ...], time: int) -> None:
    spans, keys, values = random_case(borders, time)
    halves = [part.astype(np.float16) for part in (keys, values)]
    store = DenseStore(mx.array(halves[0]), mx.array(halves[1]))
    got = attend(as_arrays(spans), store, scale=SCALE, mask="causal")
    assert got.dtype == mx.float32
    assert np.abs(np.array(got) - formula(spans, *halves)).max() < 4e-6


def test_a_mask_that_is_an_array_is_obeyed() -> None:
    rng = np.random.default_rng(8)
    queries, keys, values = (mx.array(rng.standard_normal((1, 2, 4, 8), np.float32)) for _ in range(3))
    only_itself = mx.eye(4).astype(mx.bool_)
    got = attend([QuerySpan(queries, 0, 4)], DenseStore(keys, values), scale=1.0, mask=only_itself)
    assert mx.allclose(got, values, atol=1e-6)


@pytest.mark.parametrize("borders", [(0, 20, 37), (0, 17)])
def test_a_mask_that_no_path_takes_is_refused_in_one_line(borders: tuple[int, ...]) -> None:
    spans, keys, values = random_case(borders, 17)
    store = QuantizedStore(quantized(keys, 8)[0], quantized(values, 4)[0])
    mask = mx.ones((17, borders[-1]), mx.bool_)
    with pytest.raises(PromptError, match="run them one at a time"):
        attend(as_arrays(spans), store, scale=SCALE, mask=mask)


class Watched:
    """A store that notes the largest tile and the largest set of scores it was asked for."""

    def __init__(self, store: Store):
        self.store, self.heads = store, store.heads
        self.largest = 0

    def tile(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> tuple[mx.array, mx.array]:
        self.largest = max(self.largest, stop - start)
        return self.store.tile(start, stop, done)

    def scores(self, queries: mx.array, start: int, stop: int) -> mx.array:
        raise AssertionError("a long prefill must not score all keys at once")

    def mix(self, weights: mx.array, start: int, stop: int) -> mx.array:
        raise AssertionError("a long prefill must not weigh all values at once")


def test_a_long_prefill_reads_quantised_keys_in_tiles() -> None:
    spans, keys, values = random_case((0, 3000), 600)
    watched = Watched(QuantizedStore(quantized(keys, 8)[0], quantized(values, 8)[0]))
    attend(as_arrays(spans), watched, scale=SCALE, mask="causal")
    assert watched.largest == tiles.TILE_KEYS


@pytest.mark.parametrize("kind", ["dense", "quantised"])
def test_memory_of_a_long_prefill_is_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "workspace", lambda: 2**20)
    keys = 65536
    arrays = [np.random.default_rng(i).standard_normal((1, KV_HEADS, keys, HEAD_DIM)) for i in range(2)]
    store = DenseStore(*(mx.array(part.astype(np.float32)) for part in arrays))
    if kind == "quantised":
        keys_part, values_part = (quantized(part.astype(np.float32), 8)[0] for part in arrays)
        store = QuantizedStore(keys_part, values_part)
        mx.eval(store.keys.parts, store.values.parts)
    older, own = (mx.random.normal((1, 16, 32, HEAD_DIM)) for _ in range(2))
    spans = [QuerySpan(older, 0, keys - 32), QuerySpan(own, keys - 32, keys)]
    mx.eval(older, own)
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    mx.eval(attend(spans, store, scale=SCALE, mask="causal"))
    assert mx.get_peak_memory() - before < 14 * 2**20  # all scores would take 128 MiB
