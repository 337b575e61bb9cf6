"""Attention over spans of keys, by the two ways that need no kernel of our own.

`whole_rows` scores all keys of few queries and takes one softmax: every key and value is
read once. `tiled` walks over tiles of keys with the online softmax (arXiv 1805.02867, 2205.14135),
so that its memory does not depend on how many keys there are. Both compute the one softmax
over all spans that Dual Chunk Attention asks for.

Rows are (query head of the group, query): (batch, kv heads, group x queries, head_dim).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import mlx.core as mx

from qwen2_mlx.attention.order import after
from qwen2_mlx.attention.stores import Store

#: Bytes of the scores of one tile. MLX lets a few tiles run ahead, so about ten times as much
#: is in use at once. A GPU needs large tiles to be busy, a CPU small ones for its caches.
CPU_WORKSPACE, GPU_WORKSPACE = 4 * 2**20, 32 * 2**20

#: Keys of a tile.
TILE_KEYS = 1024

_LOWEST = -3.0e38  # masked scores, finite: a row that saw nothing yet must not give infinity minus infinity


@dataclass(frozen=True)
class QuerySpan:
    """Rotated queries (batch, heads, queries, head_dim) and the keys `start` to `stop` they see.

    `stack` (spans, batch, heads, queries, head_dim) holds those of all spans, where they were made together.
    """

    queries: mx.array
    start: int
    stop: int
    stack: mx.array | None = None


def stacked(spans: Sequence[QuerySpan]) -> mx.array:
    """The queries of all spans, row contiguous: (spans, batch, heads, queries, head_dim)."""
    stack = spans[0].stack
    if stack is not None:
        return stack
    return mx.contiguous(mx.stack([span.queries for span in spans]))  # MLX makes no copy of a single array


def workspace() -> int:
    """Bytes of the scores of one tile on the device in use."""
    return GPU_WORKSPACE if mx.default_device().type == mx.DeviceType.gpu else CPU_WORKSPACE


def whole_rows(spans: Sequence[QuerySpan], store: Store, scale: float) -> mx.array:
    """Attention with all scores of the queries at once; the last span is causal."""
    queries = spans[0].queries
    parts = [store.scores(rows_of(span.queries, store) * scale, span.start, span.stop) for span in spans]
    if queries.shape[2] > 1:
        parts[-1] = mask_future(parts[-1], queries.shape[2])
    weights = mx.softmax(
        mx.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0], axis=-1, precise=True
    )
    # the spans lie side by side, so the values of all of them are one stretch
    mixed = store.mix(weights, spans[0].start, spans[-1].stop)
    return mixed.astype(queries.dtype).reshape(queries.shape)


def tiled(spans: Sequence[QuerySpan], store: Store, scale: float) -> mx.array:
    """Attention in float32 with tiles of at most `workspace()` bytes of scores; the last span is causal."""
    queries = spans[0].queries
    heads, time = queries.shape[1:3]
    rows = max(1, workspace() // (4 * queries.shape[0] * heads * TILE_KEYS))
    blocks: list[mx.array] = []
    for start in range(0, time, rows):
        stop = min(start + rows, time)
        # the block before is finished first: blocks side by side would add up their workspaces
        cut = [
            QuerySpan(after(span.queries[:, :, start:stop], blocks[-1:]), span.start, span.stop)
            for span in spans
        ]
        blocks.append(_block(cut, store, scale, hidden=time - stop).astype(queries.dtype))
    return blocks[0] if len(blocks) == 1 else mx.concatenate(blocks, axis=2)


def _block(spans: Sequence[QuerySpan], store: Store, scale: float, hidden: int) -> mx.array:
    """Attention of few queries; the last `hidden` keys of the last span belong to later queries."""
    shape = spans[0].queries.shape
    count = shape[2]
    state: tuple[mx.array, mx.array, mx.array] | None = None
    for span in spans:
        last = span is spans[-1]
        rows = rows_of(span.queries.astype(mx.float32) * scale, store)
        seen_by_all = span.stop - hidden - count + 1 if last else span.stop
        for start, stop in _tiles(span.start, span.stop - hidden if last else span.stop):
            rows = after(rows, state or ())
            keys, values = store.tile(start, stop, done=(rows,))
            scores = rows @ keys.swapaxes(-1, -2)
            if stop > seen_by_all:
                scores = _mask_from(scores, count, seen_by_all - start)
            if state is None:
                highest = scores.max(axis=-1, keepdims=True)
                weights = mx.exp(scores - highest)
                state = highest, weights.sum(axis=-1, keepdims=True), weights @ values
            else:
                highest, weights, fade = _rescale(state[0], scores.max(axis=-1, keepdims=True), scores)
                total = state[1] * fade + weights.sum(axis=-1, keepdims=True)
                state = highest, total, state[2] * fade + weights @ values
    assert state is not None
    return (state[2] / state[1]).reshape(shape)


def _tiles(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, TILE_KEYS):
        yield first, min(first + TILE_KEYS, stop)


def rows_of(queries: mx.array, store: Store) -> mx.array:
    """(batch, heads, queries, head_dim) with the queries of a key-value head side by side."""
    batch, heads, time, head_dim = queries.shape
    return queries.reshape(batch, store.heads, heads // store.heads * time, head_dim)


def mask_future(scores: mx.array, count: int) -> mx.array:
    """Masks the causal span of `count` queries that are its last keys."""
    return _mask_from(scores, count, scores.shape[-1] - count + 1)


def _mask_from(scores: mx.array, count: int, seen_by_all: int) -> mx.array:
    """Query i of `count` sees the first `seen_by_all` + i columns."""
    visible = mx.arange(scores.shape[-1]) < seen_by_all + mx.arange(count)[:, None]
    split = scores.reshape(*scores.shape[:2], -1, count, scores.shape[-1])
    return mx.where(visible, split, mx.array(_LOWEST, scores.dtype)).reshape(scores.shape)


@partial(mx.compile, shapeless=True)
def _rescale(
    highest: mx.array, tile_highest: mx.array, scores: mx.array
) -> tuple[mx.array, mx.array, mx.array]:
    raised = mx.maximum(highest, tile_highest)
    return raised, mx.exp(scores - raised), mx.exp(highest - raised)
