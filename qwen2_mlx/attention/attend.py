"""The one function that attends; models call it and never choose a path themselves."""

from typing import Any

import mlx.core as mx

from qwen2_mlx import _mlx_lm

_mlx_lm.install()

from mlx_lm.models.base import scaled_dot_product_attention  # noqa: E402

#: Queries whose scores exist at once where MLX has no fused kernel.
QUERY_BLOCK = 128


def attend(
    queries: mx.array, keys: Any, values: Any, *, cache: Any, scale: float, mask: mx.array | str | None
) -> mx.array:
    """Grouped-query attention.

    `queries` is (batch, heads, new tokens, head_dim); `keys` and `values` are what the
    cache's `update_and_fetch` returned, (batch, kv heads, all tokens, head_dim) or
    their quantised parts; `mask` is None, "causal" or a boolean array that broadcasts
    to (batch, heads, new tokens, all tokens). Returns (batch, heads, new tokens, head_dim).
    """
    unfused = mx.default_device().type == mx.DeviceType.cpu
    if unfused and isinstance(mask, str) and isinstance(keys, mx.array):
        return _causal_in_blocks(queries, keys, values, scale)
    attention: Any = scaled_dot_product_attention  # annotated without its "causal"
    return attention(queries, keys, values, cache=cache, scale=scale, mask=mask)


def _causal_in_blocks(queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
    """Causal attention, a block of queries after the other, each over the keys it may see.

    On a CPU MLX computes the scores of all queries and keys, half of them to be masked.
    """
    time, past = queries.shape[2], keys.shape[2] - queries.shape[2]
    blocks = []
    for start in range(0, time, QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, time)
        seen = past + stop
        blocks.append(
            mx.fast.scaled_dot_product_attention(
                queries[:, :, start:stop], keys[:, :, :seen], values[:, :, :seen], scale=scale, mask="causal"
            )
        )
    return blocks[0] if len(blocks) == 1 else mx.concatenate(blocks, axis=2)
