"""The one function that attends; models call it and never choose a path themselves."""

from typing import Any

import mlx.core as mx

from qwen2_mlx import _mlx_lm

_mlx_lm.install()

from mlx_lm.models.base import scaled_dot_product_attention  # noqa: E402


def attend(
    queries: mx.array, keys: Any, values: Any, *, cache: Any, scale: float, mask: mx.array | str | None
) -> mx.array:
    """Grouped-query attention.

    `queries` is (batch, heads, new tokens, head_dim); `keys` and `values` are what the
    cache's `update_and_fetch` returned, (batch, kv heads, all tokens, head_dim) or
    their quantised parts; `mask` is None, "causal" or a boolean array that broadcasts
    to (batch, heads, new tokens, all tokens). Returns (batch, heads, new tokens, head_dim).
    """
    attention: Any = scaled_dot_product_attention  # annotated without its "causal"
    return attention(queries, keys, values, cache=cache, scale=scale, mask=mask)
