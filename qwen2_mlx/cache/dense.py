"""Keys and values as they are, or rounded to half precision."""

from collections.abc import Mapping

import mlx.core as mx

from qwen2_mlx import _mlx_lm
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.growth import capacity, grown, shared, write

_mlx_lm.install()

from mlx_lm.models import cache as mlx_lm_cache  # noqa: E402


class KVCache(mlx_lm_cache.KVCache):
    """One layer's keys and values, (batch, kv heads, tokens, head_dim).

    mlx-lm's tools take it for their own. It differs in growing by a share of itself, in
    branching, and in knowing the length of the prompt that is being processed.
    """

    def __init__(self, half: bool = False):
        super().__init__()
        self._half = half
        self._reserved = 0
        self.prompt_length = 0

    @property
    def format(self) -> KVFormat | None:
        """None where keys and values keep the model's type."""
        return KVFormat(16, 16) if self._half else None

    def reserve(self, tokens: int) -> None:
        """Announces that the cache will hold `tokens`, so that it grows to them at once."""
        self._reserved = max(self._reserved, tokens)

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Appends (batch, kv heads, new tokens, head_dim) each and returns all there are."""
        if self._half and keys.dtype == mx.float32:
            keys, values = keys.astype(mx.float16), values.astype(mx.float16)
        end = self.offset + keys.shape[2]
        if self.keys is None or end > self.keys.shape[2]:
            room = capacity(self.offset, end, self._reserved)
            self.keys = grown(self.keys, keys, self.offset, room)
            self.values = grown(self.values, values, self.offset, room)
        write(self.keys, keys, self.offset)
        write(self.values, values, self.offset)
        self.offset = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def branch(self) -> "KVCache":
        """A copy that shares the memory until one of the two is written to."""
        twin = KVCache(self._half)
        if self.keys is not None:
            twin.keys, twin.values = shared(self.keys), shared(self.values)
        twin.offset, twin.prompt_length = self.offset, self.prompt_length
        return twin

    def tensors(self) -> dict[str, mx.array]:
        """What is held, by name; tokens on axis 2."""
        if self.keys is None:
            return {}
        return {"keys": self.keys[:, :, : self.offset], "values": self.values[:, :, : self.offset]}

    def restore(self, tensors: Mapping[str, mx.array]) -> None:
        """Holds `tensors` instead of what it held."""
        self.keys, self.values = tensors["keys"], tensors["values"]
        self.offset = tensors["keys"].shape[2]
