"""Bytes of the key-value caches, as the caches themselves allocate them."""

from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.growth import capacity
from qwen2_mlx.cache.quantized import GROUP_SIZES, group_size
from qwen2_mlx.cache.remember import reserved_tokens
from qwen2_mlx.config import ModelConfig

#: Bytes of a scale or an offset of the quantised cache, and how many of them a group has.
_HALF, _SCALE_AND_OFFSET = 2, 2


def cache_bytes(config: ModelConfig, kv: KVFormat | None, itemsize: int, context: int) -> int:
    """All layers' caches of a prompt of `context` tokens, with the room that is made for an answer.

    `itemsize` is the bytes of a number of the model. Raises `ConfigError` where heads of this
    size cannot be quantised.
    """
    heads = config.num_hidden_layers * config.num_key_value_heads
    room = capacity(0, context, reserved_tokens(context))
    return heads * head_bytes(config.head_dim, kv, itemsize) * room


def head_bytes(head_dim: int, kv: KVFormat | None, itemsize: int) -> int:
    """One token's key and value of one head."""
    if kv is None:
        return 2 * head_dim * itemsize
    if not kv.is_quantized:
        return 2 * head_dim * min(itemsize, _HALF)
    scales = head_dim // group_size(head_dim) * _SCALE_AND_OFFSET * _HALF
    return head_dim * (kv.keys + kv.values) // 8 + 2 * scales


def can_be_quantized(head_dim: int) -> bool:
    """Whether heads of this size can be quantised at all."""
    return any(head_dim % size == 0 for size in GROUP_SIZES)
