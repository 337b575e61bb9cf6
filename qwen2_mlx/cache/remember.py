"""What generation and the layers do to any kind of cache, ours or mlx-lm's."""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from qwen2_mlx.attention.stores import DenseStore, Quantized, QuantizedStore, Store
from qwen2_mlx.cache.dense import KVCache
from qwen2_mlx.cache.quantized import QuantizedKVCache

#: Tokens of an answer for which room is made together with a long prompt's, which is then not
#: copied when the answer begins.
ANSWER_ROOM = 256
LONG_PROMPT = 4096


def remember(cache: Any, keys: mx.array, values: mx.array) -> Store:
    """Appends rotated keys and values, (batch, kv heads, new tokens, head_dim), to one layer's cache.

    Returns all that attention may read then. `cache` may be None.
    """
    if cache is None:
        return DenseStore(keys, values)
    if isinstance(cache, QuantizedKVCache):
        return cache.append(keys, values)
    keys, values = cache.update_and_fetch(keys, values)
    if isinstance(keys, mx.array):
        return DenseStore(keys, values)
    parts = (Quantized(tuple(part), cache.group_size, cache.bits) for part in (keys, values))
    return QuantizedStore(*parts)


def announce(cache: Sequence[Any], prompt_length: int) -> None:
    """Tells the layers' caches how many tokens they will hold when the prompt ends.

    Dual Chunk Attention's temperature may depend on it, and the memory can be taken at once.
    """
    for layer_cache in cache:
        if isinstance(layer_cache, KVCache | QuantizedKVCache):
            layer_cache.prompt_length = prompt_length
            layer_cache.reserve(reserved_tokens(prompt_length))


def reserved_tokens(prompt_length: int) -> int:
    """Tokens for which a prompt takes memory at once."""
    return prompt_length + (ANSWER_ROOM if prompt_length >= LONG_PROMPT else 0)


def make_room(cache: Sequence[Any], tokens: int) -> None:
    """Tells the caches how many `tokens` prompt and answer will be at most.

    Long caches then take what was planned for them; without it they grow by a share of themselves.
    """
    if tokens >= LONG_PROMPT:
        for layer_cache in cache:
            layer_cache.reserve(tokens)
