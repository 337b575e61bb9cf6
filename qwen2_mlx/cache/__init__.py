"""Key-value caches: plain, in half precision, and quantised from the first token."""

from qwen2_mlx.cache.dense import KVCache
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.quantized import QuantizedKVCache

__all__ = ["KVCache", "KVFormat", "QuantizedKVCache"]
