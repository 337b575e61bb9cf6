"""Attention of a long prompt over the tiles of keys that matter: optional, and off unless asked for.

In long texts almost all attention goes to a few columns (keys that every query looks at) and a few diagonals
(keys at certain distances), and each head keeps to its own: the vertical-slash pattern of MInference
(arXiv 2407.02490, section 3.2), which Qwen2.5-1M uses too (arXiv 2501.15383, section 5.2). As there, the
last queries of a piece say which. They are attended exactly, their weights are added up by tile and by
distance, and the heaviest tiles and distances are kept until they hold a share `keep` of the weight (so
arXiv 2502.20766 chooses, rather than a fixed number). All else is never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from qwen2_mlx.attention.order import after
from qwen2_mlx.attention.stores import Store
from qwen2_mlx.attention.tiles import QuerySpan, mask_future, rows_of, workspace

#: Keys of a tile, counted from where a span begins; queries that share a choice of tiles.
TILE, BLOCK = 64, 32

#: Queries that say which tiles matter, at most and at least.
ASKED, LEAST_ASKED = 64, 16


@dataclass(frozen=True)
class Sparse:
    """How prompts are attended to: tiles that hold a share `keep` of the weight, above 0.

    Shorter pieces over fewer keys are attended in full: choosing would cost as much.
    """

    keep: float
    least_queries: int = 256
    least_keys: int = 8192

    def applies(self, spans: Sequence[QuerySpan]) -> bool:
        """Whether a piece is long enough, and of a single prompt."""
        batch, _, time, _ = spans[0].queries.shape
        return batch == 1 and time >= self.least_queries and spans[-1].stop >= self.least_keys


@dataclass(frozen=True)
class Choice:
    """For each span which of its tiles are attended to: bool (heads, blocks of queries, tiles).

    `visible` counts those of all spans, heads and blocks that hold a key which dense attention would look at.
    """

    tiles: tuple[np.ndarray, ...]
    visible: int

    @property
    def share(self) -> float:
        """The share of the visible tiles that is attended to."""
        return sum(int(tiles.sum()) for tiles in self.tiles) / self.visible


def choose(spans: Sequence[QuerySpan], store: Store, scale: float, keep: float) -> Choice:
    """For every block of queries, where the last of them found a share `keep` of their weight."""
    heads, time = spans[0].queries.shape[1:3]
    begin, end = spans[0].start, spans[-1].stop
    room = 8 * workspace() // (4 * heads * (end - begin))
    asked = max(LEAST_ASKED, min(ASKED, time, room))
    weights = _weights([_last(span, asked) for span in spans], store, scale)
    columns = [_by_tile(weights[..., span.start - begin : span.stop - begin]) for span in spans]
    borders = np.cumsum([column.shape[1] for column in columns])[:-1]
    joined, slashes = mx.concatenate(columns, axis=1), _by_distance(weights)
    mx.eval(joined, slashes)
    kept_columns = np.split(_heaviest(np.array(joined), keep), borders, axis=1)
    kept_slashes = _heaviest(np.array(slashes), keep)
    kept_slashes[:, :2] = True  # what stands just before
    kept_columns[0][:, 0] = True  # where attention goes that nothing else wants
    first = end - time
    visible = [_visible(span, first, time) for span in spans]
    chosen = [
        (kept[:, None] | _seen_at(kept_slashes, span, first, time)) & seen
        for span, kept, seen in zip(spans, kept_columns, visible, strict=True)
    ]
    return Choice(tuple(chosen), heads * sum(int(seen.sum()) for seen in visible))


def _visible(span: QuerySpan, first: int, time: int) -> np.ndarray:
    """Which tiles of a span begin before a block of queries ends: (blocks, tiles)."""
    last = first + np.minimum(np.arange(0, time, BLOCK) + BLOCK, time) - 1
    return np.arange(span.start, span.stop, TILE) <= last[:, None]


def _last(span: QuerySpan, count: int) -> QuerySpan:
    return QuerySpan(span.queries[:, :, -count:], span.start, span.stop)


def _weights(spans: Sequence[QuerySpan], store: Store, scale: float) -> mx.array:
    """Attention weights, float32 (heads, queries, keys)."""
    _, heads, count, _ = spans[0].queries.shape
    parts = [store.scores(rows_of(span.queries * scale, store), span.start, span.stop) for span in spans]
    parts[-1] = mask_future(parts[-1], count)
    weights = mx.softmax(mx.concatenate(parts, axis=-1), axis=-1, precise=True)
    return weights.astype(mx.float32).reshape(heads, count, -1)


def _by_tile(weights: mx.array) -> mx.array:
    """The weight of each tile of a span: (heads, tiles)."""
    columns = weights.sum(axis=1)
    whole = mx.pad(columns, [(0, 0), (0, -columns.shape[1] % TILE)])
    return whole.reshape(whole.shape[0], -1, TILE).sum(axis=-1)


def _by_distance(weights: mx.array) -> mx.array:
    """The weight at each distance, in tiles, from a query back to a key: (heads, distances).

    The last query stands at the last key. Written backwards, a query's row begins with the keys behind it,
    one more than in the row after it: read with rows one shorter than they were written, all begin at
    their own keys.
    """
    heads, count, keys = weights.shape
    backwards = mx.pad(weights[..., ::-1], [(0, 0), (0, 0), (0, 1)]).reshape(heads, -1)
    begin = count - 1
    return _by_tile(backwards[:, begin : begin + count * keys].reshape(heads, count, keys))


def _heaviest(weights: np.ndarray, keep: float) -> np.ndarray:
    """For each row the fewest entries that hold a share `keep` of it: bool like `weights`."""
    order = np.argsort(-weights, axis=1)
    before = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    needed = np.zeros(weights.shape, bool)
    total = before[:, -1:]
    ordered = np.concatenate([np.zeros_like(total), before[:, :-1]], axis=1) < keep * total
    np.put_along_axis(needed, order, ordered, axis=1)
    return needed


def _seen_at(distances: np.ndarray, span: QuerySpan, first: int, time: int) -> np.ndarray:
    """Which tiles of a span stand at one of the kept `distances` from a block: (heads, blocks, tiles).

    `first` is the place of the first of `time` queries.
    """
    tiles = np.arange(span.start, span.stop, TILE)
    blocks = first + np.arange(0, time, BLOCK)[:, None]
    nearest = (blocks - (tiles + TILE - 1)) // TILE
    farthest = (blocks + BLOCK - 1 - tiles) // TILE
    seen = np.zeros((distances.shape[0], *nearest.shape), bool)
    for distance in range(3):
        at = nearest + distance
        valid = (at >= 0) & (at <= farthest) & (at < distances.shape[1])
        seen |= distances[:, np.clip(at, 0, distances.shape[1] - 1)] & valid
    return seen


def attend_chosen(spans: Sequence[QuerySpan], store: Store, scale: float, choice: Choice) -> mx.array:
    """Attention of one prompt's queries over the chosen tiles alone: (1, heads, queries, head_dim)."""
    queries = spans[0].queries
    time = queries.shape[2]
    blocks: list[mx.array] = []
    for number, start in enumerate(range(0, time, BLOCK)):
        stop = min(start + BLOCK, time)
        cut = [
            QuerySpan(after(span.queries[:, :, start:stop], blocks[-1:]), span.start, span.stop)
            for span in spans
        ]
        first = spans[-1].stop - time + start
        chosen = [tiles[:, number] for tiles in choice.tiles]
        blocks.append(_block(cut, store, scale, chosen, first).astype(queries.dtype))
    return blocks[0] if len(blocks) == 1 else mx.concatenate(blocks, axis=2)


def _block(
    spans: Sequence[QuerySpan], store: Store, scale: float, chosen: Sequence[np.ndarray], first: int
) -> mx.array:
    """Queries `first` and on; `chosen` are their tiles of each span, bool (heads, tiles)."""
    scores, values = [], []
    heads, count = spans[0].queries.shape[1:3]
    group = heads // store.heads
    for span, tiles in zip(spans, chosen, strict=True):
        used = np.flatnonzero(tiles.any(axis=0))  # by some head: each masks what others need
        if not len(used):
            continue
        keys = np.concatenate([np.arange(t, min(t + TILE, span.stop)) for t in span.start + used * TILE])
        runs = np.split(keys, np.flatnonzero(np.diff(keys) != 1) + 1)
        read = [store.tile(int(run[0]), int(run[-1]) + 1) for run in runs]
        k, v = (mx.concatenate(list(part), axis=2) for part in zip(*read, strict=True))
        product = rows_of(span.queries.astype(mx.float32) * scale, store) @ k.swapaxes(-1, -2)
        product = product.reshape(1, store.heads, group, count, -1)
        own = tiles[:, (keys - span.start) // TILE].reshape(1, store.heads, group, 1, -1)
        causal = keys <= first + np.arange(count)[:, None]
        seen: Any = own & causal  # MLX takes NumPy's booleans and does not say so
        scores.append(mx.where(mx.array(seen), product, -mx.inf))
        values.append(v)
    weights = mx.softmax(mx.concatenate(scores, axis=-1), axis=-1, precise=True)
    mixed = weights.reshape(1, store.heads, group * count, -1) @ mx.concatenate(values, axis=2)
    return mixed.reshape(1, heads, count, -1)
