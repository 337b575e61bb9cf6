"""The one function that attends; models call it and never choose a path themselves."""

from collections.abc import Sequence

import mlx.core as mx

from qwen2_mlx.attention import tiles
from qwen2_mlx.attention.order import after
from qwen2_mlx.attention.sparse import Sparse, attend_chosen, choose
from qwen2_mlx.attention.stores import DenseStore, Store
from qwen2_mlx.attention.tiles import QuerySpan, tiled, whole_rows
from qwen2_mlx.errors import PromptError
from qwen2_mlx.kernels import decode_attention, prefill_attention
from qwen2_mlx.kernels.use import wanted

#: Queries that go through MLX's attention at once where it has no fused kernel.
QUERY_BLOCK = 128

#: Queries, a guess and a draft or two of it, whose scores are taken all at once.
FEW_QUERIES = 8

#: Query heads to a key-value head, and keys, from which on reading keys and values once pays (calculated).
SHARING_HEADS, LONG_CACHE = 5, 2048

#: Head dimensions of MLX's fused Metal attention over many queries.
FUSED_HEAD_DIMS = (64, 80, 128)


def attend(
    spans: Sequence[QuerySpan],
    store: Store,
    *,
    scale: float,
    mask: mx.array | str | None,
    sparse: Sparse | None = None,
) -> mx.array:
    """Grouped-query attention: one softmax over all spans, by the cheapest exact path.

    `spans` hold the same queries, (batch, heads, queries, head_dim), under each span's
    rotation; they lie side by side, and the last is causal. `mask` as an array is
    a boolean that broadcasts to (batch, heads, queries, keys), for one span of plain keys; raises
    `PromptError` elsewhere.
    With `sparse`, a long prompt attends to the tiles that matter alone.
    Returns (batch, heads, queries, head_dim). Scores are computed in tiles of at most
    `tiles.workspace()` bytes, except under an array mask and for a single query.
    """
    queries, stop = spans[0].queries, spans[-1].stop
    time = queries.shape[2]
    plain = isinstance(store, DenseStore) and store.keys.dtype == queries.dtype
    if sparse and not isinstance(mask, mx.array) and sparse.applies(spans):
        return _sparsely(spans, store, scale, sparse)
    if not isinstance(mask, mx.array):
        attended = _by_kernel(spans, store, scale, stock=plain and len(spans) == 1)
        if attended is not None:
            return attended
    if isinstance(store, DenseStore) and plain and len(spans) == 1:
        seen = store.upto(stop)
        if isinstance(mask, mx.array):
            return _sdpa(queries, seen, scale, mask)
        if time == 1 or _is_fused(queries):
            return _sdpa(queries, seen, scale, "causal" if time > 1 else None)
        if _score_bytes(queries, stop) // time * QUERY_BLOCK <= tiles.workspace():
            return _causal_in_blocks(queries, seen, scale)
    if isinstance(mask, mx.array):
        raise PromptError(
            "prompts of different lengths side by side need a 16-bit cache and a single chunk;"
            " run them one at a time"
        )
    quantised = not isinstance(store, DenseStore)
    few = time == 1 or (time <= FEW_QUERIES and _score_bytes(queries, stop) <= tiles.workspace())
    return whole_rows(spans, store, scale) if few and (plain or quantised) else tiled(spans, store, scale)


def _sparsely(spans: Sequence[QuerySpan], store: Store, scale: float, sparse: Sparse) -> mx.array:
    choice = choose(spans, store, scale, sparse.keep)
    attended = None
    if prefill_attention.supports(spans, store) and wanted("prefill_attention"):
        attended = prefill_attention.prefill_attention(spans, store, scale, choice)
    return attend_chosen(spans, store, scale, choice) if attended is None else attended


def _by_kernel(spans: Sequence[QuerySpan], store: Store, scale: float, stock: bool) -> mx.array | None:
    """By one of our kernels, where it runs and is wanted; `stock` says that one of MLX's would do.

    MLX's attention of one query reads keys and values once for each query head. The kernel for many queries
    gives each head a single threadgroup where they are few, which a long cache would keep waiting.
    """
    _, heads, time, _ = spans[0].queries.shape
    group = heads // store.heads
    if decode_attention.supports(spans, store):
        long = group >= SHARING_HEADS and spans[-1].stop >= LONG_CACHE
        if wanted("decode_attention", pays=long or not stock):
            return decode_attention.decode_attention(spans, store, scale)
        return None
    pays = time > FEW_QUERIES and not stock
    if prefill_attention.supports(spans, store) and wanted("prefill_attention", pays):
        return prefill_attention.prefill_attention(spans, store, scale)
    return None


def _score_bytes(queries: mx.array, keys: int) -> int:
    """Bytes of all scores in float32."""
    batch, heads, time, _ = queries.shape
    return 4 * batch * heads * time * keys


def _is_fused(queries: mx.array) -> bool:
    on_gpu = mx.default_device().type == mx.DeviceType.gpu
    return on_gpu and queries.shape[-1] in FUSED_HEAD_DIMS


def _sdpa(queries: mx.array, store: DenseStore, scale: float, mask: mx.array | str | None) -> mx.array:
    return mx.fast.scaled_dot_product_attention(queries, store.keys, store.values, scale=scale, mask=mask)


def _causal_in_blocks(queries: mx.array, store: DenseStore, scale: float) -> mx.array:
    """A block of queries after the other, each over the keys it may see.

    Without a fused kernel MLX computes the scores of all queries and keys, half of them to be masked.
    Side by side the blocks would add up their scores.
    """
    time = queries.shape[2]
    past = store.keys.shape[2] - time
    blocks: list[mx.array] = []
    for start in range(0, time, QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, time)
        block = after(queries[:, :, start:stop], blocks[-1:])
        blocks.append(_sdpa(block, store.upto(past + stop), scale, "causal"))
    return blocks[0] if len(blocks) == 1 else mx.concatenate(blocks, axis=2)
