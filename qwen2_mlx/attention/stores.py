"""Cached keys and values as attention reads them: scores and mixtures of a span, or a tile in full.

Shapes: queries and weights are (batch, kv heads, rows, ...), where the rows of one key-value
head are those of all its query heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx

from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.order import after


class Store(Protocol):
    """What attention needs of the keys and values of one layer."""

    @property
    def heads(self) -> int:
        """Key-value heads."""
        ...

    def scores(self, queries: mx.array, start: int, stop: int) -> mx.array:
        """Products of `queries` (batch, kv heads, rows, head_dim) with keys `start` to `stop`."""
        ...

    def mix(self, weights: mx.array, start: int, stop: int) -> mx.array:
        """Values `start` to `stop` weighted by (batch, kv heads, rows, stop - start)."""
        ...

    def tile(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> tuple[mx.array, mx.array]:
        """Keys and values in float32, (batch, kv heads, stop - start, head_dim) each.

        Read only once `done` is computed: MLX would read several tiles ahead, and they add up.
        """
        ...


@dataclass(frozen=True)
class DenseStore:
    """Keys and values as arrays (batch, kv heads, tokens, head_dim)."""

    keys: mx.array
    values: mx.array

    @property
    def heads(self) -> int:
        return self.keys.shape[1]

    def upto(self, stop: int) -> "DenseStore":
        """The first `stop` keys and values."""
        if stop == self.keys.shape[2]:
            return self
        return DenseStore(self.keys[:, :, :stop], self.values[:, :, :stop])

    def scores(self, queries: mx.array, start: int, stop: int) -> mx.array:
        return queries @ self.keys[:, :, start:stop].swapaxes(-1, -2)

    def mix(self, weights: mx.array, start: int, stop: int) -> mx.array:
        return weights @ self.values[:, :, start:stop]

    def tile(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> tuple[mx.array, mx.array]:
        return (
            after(self.keys[:, :, start:stop], done).astype(mx.float32),
            after(self.values[:, :, start:stop], done).astype(mx.float32),
        )


@dataclass(frozen=True)
class Quantized:
    """An array quantised along its last axis: packed codes, scales and offsets (MLX's affine form)."""

    parts: tuple[mx.array, mx.array, mx.array]
    group_size: int
    bits: int

    def slice(self, start: int, stop: int) -> tuple[mx.array, ...]:
        return tuple(part[:, :, start:stop] for part in self.parts)

    def dense(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> mx.array:
        """Rows `start` to `stop` in float32, once `done` is computed."""
        codes, scales, biases = self.slice(start, stop)
        codes = after(codes, done)
        scales, biases = scales.astype(mx.float32), biases.astype(mx.float32)
        return mx.dequantize(codes, scales, biases, group_size=self.group_size, bits=self.bits)

    def product(self, x: mx.array, start: int, stop: int, transpose: bool) -> mx.array:
        """x times rows `start` to `stop` (transposed or not), read in quantised form; float32."""
        codes, scales, biases = self.slice(start, stop)
        return mx.quantized_matmul(
            x.astype(mx.float32), codes, scales.astype(mx.float32), biases.astype(mx.float32),
            transpose=transpose, group_size=self.group_size, bits=self.bits,
        )  # fmt: skip


@dataclass(frozen=True)
class QuantizedStore:
    """Quantised keys and values; the keys' common part, if they were stored without it, is added back."""

    keys: Quantized
    values: Quantized
    key_bias: KeyBias | None = None

    @property
    def heads(self) -> int:
        return self.keys.parts[0].shape[1]

    def scores(self, queries: mx.array, start: int, stop: int) -> mx.array:
        scores = self.keys.product(queries, start, stop, transpose=True)
        return scores + self.key_bias.scores(queries, start, stop) if self.key_bias else scores

    def mix(self, weights: mx.array, start: int, stop: int) -> mx.array:
        return self.values.product(weights, start, stop, transpose=False)

    def tile(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> tuple[mx.array, mx.array]:
        keys = self.keys.dense(start, stop, done)
        if self.key_bias:
            keys = keys + self.key_bias.at(start, stop, done)
        return keys, self.values.dense(start, stop, done)
