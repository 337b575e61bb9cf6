"""Attention over the tiles that matter: which those are, and that nothing else changes the result."""

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.attention.attend import attend
from qwen2_mlx.attention.sparse import BLOCK, TILE, Choice, Sparse, attend_chosen, choose
from qwen2_mlx.attention.stores import DenseStore
from qwen2_mlx.attention.tiles import QuerySpan, tiled

HEADS, KV_HEADS, DIM, SCALE = 4, 2, 16, 0.25


def random(*shape: int, seed: int) -> mx.array:
    return mx.random.normal(shape, key=mx.random.key(seed))


def inputs(keys: int, time: int, starts: tuple[int, ...] = (0,)) -> tuple[list[QuerySpan], DenseStore]:
    stops = (*starts[1:], keys)
    spans = [
        QuerySpan(random(1, HEADS, time, DIM, seed=9 + i), start, stop)
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]
    return spans, DenseStore(*(random(1, KV_HEADS, keys, DIM, seed=seed) for seed in (1, 2)))


def looking_at(columns: list[int], keys: int, time: int) -> tuple[list[QuerySpan], DenseStore]:
    """Queries that want a few keys and no others."""
    wanted = mx.ones((1, 1, 1, DIM))
    strength = np.zeros(keys, np.float32)
    strength[columns] = 3
    store = DenseStore(
        mx.broadcast_to(wanted * mx.array(strength)[:, None], (1, KV_HEADS, keys, DIM)),
        random(1, KV_HEADS, keys, DIM, seed=2),
    )
    return [QuerySpan(mx.broadcast_to(wanted * 2, (1, HEADS, time, DIM)), 0, keys)], store


@pytest.mark.parametrize("starts", [(0,), (0, 300), (0, 130, 500)], ids=str)
def test_where_all_weight_is_kept_the_result_is_exact(starts: tuple[int, ...]) -> None:
    spans, store = inputs(700, 150, starts)
    choice = choose(spans, store, SCALE, keep=1.1)
    assert choice.share == 1
    difference = attend_chosen(spans, store, SCALE, choice) - tiled(spans, store, SCALE)
    assert np.abs(np.array(difference)).max() < 1e-5


def test_the_keys_that_are_looked_at_are_kept_and_most_others_are_not() -> None:
    spans, store = looking_at([40, 900], keys=2000, time=256)
    choice = choose(spans, store, SCALE, keep=0.9)
    tiles = choice.tiles[0]
    assert tiles[:, :, 40 // TILE].all()
    assert tiles[:, :, 900 // TILE].all()
    assert choice.share < 0.35
    difference = attend_chosen(spans, store, SCALE, choice) - tiled(spans, store, SCALE)
    assert np.abs(np.array(difference)).max() < 0.05


def test_what_stands_just_before_a_query_is_always_kept() -> None:
    spans, store = looking_at([40], keys=2000, time=256)
    tiles = choose(spans, store, SCALE, keep=0.5).tiles[0]
    for block in range(tiles.shape[1]):
        own = (2000 - 256 + block * BLOCK) // TILE
        assert tiles[:, block, own - 1 : own + 1].all()


def test_no_tile_behind_a_query_is_chosen() -> None:
    spans, store = inputs(640, 256)
    tiles = choose(spans, store, SCALE, keep=1.1).tiles[0]
    for block in range(tiles.shape[1]):
        last = 640 - 256 + (block + 1) * BLOCK - 1
        assert not tiles[:, block, last // TILE + 1 :].any()


def test_a_distance_that_is_looked_at_is_kept_for_every_query() -> None:
    keys, time, back = 2048, 256, 512
    basis = random(keys, 64, seed=5)
    store = DenseStore(basis[None, None], random(1, 1, keys, 64, seed=2))
    first = keys - time
    spans = [QuerySpan(basis[None, None, first - back : keys - back], 0, keys)]
    tiles = choose(spans, store, 0.5, keep=0.9).tiles[0]
    for block in range(tiles.shape[1]):
        low, high = (first + block * BLOCK + i - back for i in (0, BLOCK - 1))
        assert tiles[:, block, low // TILE].all()
        assert tiles[:, block, high // TILE].all()


def test_short_prompts_and_batches_are_attended_in_full() -> None:
    sparse = Sparse(0.9, least_queries=100, least_keys=500)
    assert sparse.applies(inputs(500, 100)[0])
    assert not sparse.applies(inputs(499, 100)[0])
    assert not sparse.applies(inputs(500, 99)[0])
    assert not sparse.applies([QuerySpan(mx.zeros((2, HEADS, 100, DIM)), 0, 500)])


def test_attend_takes_this_way_when_asked_to() -> None:
    spans, store = inputs(1000, 256)
    sparse = Sparse(0.5, least_queries=1, least_keys=1)
    chosen = attend_chosen(spans, store, SCALE, choose(spans, store, SCALE, 0.5))
    attended = attend(spans, store, scale=SCALE, mask="causal", sparse=sparse)
    assert mx.array_equal(attended, chosen)
    assert not mx.array_equal(attended, attend(spans, store, scale=SCALE, mask="causal"))


def test_the_share_counts_what_dense_attention_would_look_at() -> None:
    tiles = np.zeros((1, 2, 4), bool)
    tiles[0, 0, 0] = True
    assert Choice((tiles,), visible=8).share == 1 / 8
