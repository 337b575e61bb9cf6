"""Keys and values in 8 or 4 bits from the first token on."""

from collections.abc import Mapping
from typing import Any

import mlx.core as mx

from qwen2_mlx import _mlx_lm
from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.stores import Quantized, QuantizedStore
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.growth import capacity, grown, shared, write
from qwen2_mlx.errors import ConfigError

_mlx_lm.install()

from mlx_lm.models.base import create_causal_mask  # noqa: E402
from mlx_lm.models.cache import _BaseCache  # noqa: E402

GROUP_SIZES = (64, 32)
_PARTS = ("codes", "scales", "biases")


def group_size(head_dim: int) -> int:
    """The quantisation group for heads of this size. Raises `ConfigError` where none divides it."""
    for size in GROUP_SIZES:
        if head_dim % size == 0:
            return size
    raise ConfigError(f"keys and values of head size {head_dim} cannot be quantised; use 16 bits for them")


class QuantizedKVCache(_BaseCache):
    """One layer's keys and values in MLX's affine quantisation along the head dimension.

    Keys are stored without the rotated bias of the key projection (see `KeyBias`). Scales and
    offsets are 16-bit. There is never a full-precision copy of the cache.
    """

    def __init__(self, format: KVFormat, head_dim: int, key_bias: KeyBias | None = None):
        self.format = format
        self.offset = 0
        self.prompt_length = 0
        self._group = group_size(head_dim)
        self._key_bias = key_bias
        self._reserved = 0
        self._arrays: dict[str, mx.array] = {}

    @property
    def removes_bias(self) -> bool:
        """Whether `append` wants keys without the bias of their projection."""
        return self._key_bias is not None

    def reserve(self, tokens: int) -> None:
        """Announces that the cache will hold `tokens`, so that it grows to them at once."""
        self._reserved = max(self._reserved, tokens)

    def append(self, keys: mx.array, values: mx.array) -> QuantizedStore:
        """Appends rotated keys and values, (batch, kv heads, new tokens, head_dim) each."""
        new = self._quantized("keys", keys, self.format.keys)
        new |= self._quantized("values", values, self.format.values)
        end = self.offset + keys.shape[2]
        held = next(iter(self._arrays.values()), None)
        if held is None or end > held.shape[2]:
            room = capacity(self.offset, end, self._reserved)
            self._arrays = {
                name: grown(self._arrays.get(name), part, self.offset, room) for name, part in new.items()
            }
        for name, part in new.items():
            write(self._arrays[name], part, self.offset)
        self.offset = end
        return self.store()

    def store(self) -> QuantizedStore:
        """What attention reads."""

        def quantized(name: str, bits: int) -> Quantized:
            codes, scales, biases = (self._arrays[f"{name}.{part}"] for part in _PARTS)
            return Quantized((codes, scales, biases), self._group, bits)

        keys, values = quantized("keys", self.format.keys), quantized("values", self.format.values)
        return QuantizedStore(keys, values, self._key_bias)

    def _quantized(self, name: str, x: mx.array, bits: int) -> dict[str, mx.array]:
        codes, scales, biases = mx.quantize(x, group_size=self._group, bits=bits)
        half = x.dtype if x.dtype != mx.float32 else mx.float16
        parts = (codes, scales.astype(half), biases.astype(half))
        return {f"{name}.{part}": array for part, array in zip(_PARTS, parts, strict=True)}

    def branch(self) -> "QuantizedKVCache":
        """A copy that shares the memory until one of the two is written to."""
        twin = QuantizedKVCache.__new__(QuantizedKVCache)
        twin.__dict__.update(self.__dict__)
        twin._arrays = {name: shared(array) for name, array in self._arrays.items()}
        twin._reserved = 0
        return twin

    def tensors(self) -> dict[str, mx.array]:
        """What is held, by name; tokens on axis 2."""
        return {name: array[:, :, : self.offset] for name, array in self._arrays.items()}

    def restore(self, tensors: Mapping[str, mx.array]) -> None:
        """Holds `tensors` instead of what it held."""
        self._arrays = dict(tensors)
        self.offset = next(iter(tensors.values())).shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes allocated, room for later tokens included."""
        return sum(array.nbytes for array in self._arrays.values())

    @property
    def state(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - it is not set
        """The arrays, for mlx-lm's loops to evaluate."""
        return list(self._arrays.values())

    def size(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.offset

    def empty(self) -> bool:
        return not self._arrays

    def is_trimmable(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return True

    def trim(self, n: int) -> int:
        """Drops the last `n` tokens, or all; returns how many."""
        n = min(self.offset, n)
        self.offset -= n
        return n

    def make_mask(self, N: int, return_array: bool = False, window_size: int | None = None) -> Any:
        """mlx-lm's question for the mask of `N` new tokens."""
        if N == 1:
            return None
        return create_causal_mask(N, self.offset, window_size) if return_array else "causal"
