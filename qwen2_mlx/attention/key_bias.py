"""The rotated bias of the key projection, which quantised keys are stored without.

The family's key biases reach hundreds in single channels, while what a token adds is small;
quantised together, the bias would spend the whole range of a group's codes. Keys are
R(p)(Wx + b), and R is linear, so codes hold R(p)Wx and the product of a query with R(p)b is
added exactly. R(p)b is the same for every token at a position, and a rotation by
256 h + l is one by 256 h after one by l, so all of it follows from a table of 256 rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from qwen2_mlx.attention.order import after
from qwen2_mlx.attention.positions import key_positions
from qwen2_mlx.attention.rope import TABLE_ROWS, Rope
from qwen2_mlx.config import DualChunkConfig


@dataclass(frozen=True)
class KeyBias:
    """`bias` is (kv heads, head_dim), one per key-value head of the layer."""

    bias: mx.array
    rope: Rope
    dual_chunk: DualChunkConfig | None

    def at(self, start: int, stop: int, done: Sequence[mx.array] = ()) -> mx.array:
        """The bias as keys `start` to `stop` carry it, float32 (1, kv heads, stop - start, head_dim).

        Computed once `done` is.
        """
        bias = after(self.bias, done)
        cos, sin = self.rope.cos_sin(key_positions(start, stop - start, self.dual_chunk))
        first, second = mx.split(bias.astype(mx.float32)[:, None], 2, axis=-1)
        return mx.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)[None]

    def scores(self, queries: mx.array, start: int, stop: int) -> mx.array:
        """Products of rotated `queries` (batch, kv heads, rows, head_dim) with the bias at each key.

        Returns float32 (batch, kv heads, rows, stop - start), without forming the bias at each key.
        """
        positions = key_positions(start, stop - start, self.dual_chunk)
        longest = int(positions.max()) + 1
        q1, q2 = mx.split(queries.astype(mx.float32), 2, axis=-1)
        b1, b2 = mx.split(self.bias.astype(mx.float32)[None, :, None], 2, axis=-1)
        even, odd = (q1 * b1 + q2 * b2)[..., None, :], (q2 * b1 - q1 * b2)[..., None, :]
        cos, sin = (table[: -(-longest // TABLE_ROWS)] for table in self.rope.far(longest - 1))
        turned = mx.concatenate([even * cos + odd * sin, odd * cos - even * sin], axis=-1)
        table = mx.concatenate(list(self.rope.near), axis=-1)
        scores = (turned @ table.T).flatten(-2)  # one column a position
        if positions[0] == 0 and len(positions) == longest:
            return scores[..., :longest]
        return mx.take(scores, mx.array(positions.astype(np.int32)), axis=-1)
