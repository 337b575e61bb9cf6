"""Rotary position embedding: plain frequencies and YaRN.

Frequencies are computed in float64 and rounded once. YaRN follows the paper
(arXiv 2309.00071) in the form transformers computes it; its attention temperature
multiplies queries and keys alike, so here it is squared into the softmax scale,
which leaves the cached keys unscaled.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import mlx.core as mx
import numpy as np

from qwen2_mlx.config import RopeConfig, YarnConfig


def inverse_frequencies(rope: RopeConfig, head_dim: int) -> np.ndarray:
    """Radians per position for each rotated channel pair, float64 (head_dim / 2,)."""
    plain = rope.theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    if rope.yarn is None:
        return plain
    ramp = _yarn_ramp(rope.yarn, rope.theta, head_dim)
    return plain * (1 - ramp) + plain / rope.yarn.factor * ramp


def attention_temperature(rope: RopeConfig) -> float:
    """YaRN's factor on queries and on keys (paper, eq. 22); logits gain its square."""
    yarn = rope.yarn
    if yarn is None:
        return 1.0
    if yarn.attention_factor is not None:
        return yarn.attention_factor
    if yarn.mscale is not None and yarn.mscale_all_dim is not None:
        return _mscale(yarn.factor, yarn.mscale) / _mscale(yarn.factor, yarn.mscale_all_dim)
    return _mscale(yarn.factor, 1.0)


def _mscale(factor: float, weight: float) -> float:
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0


def _yarn_ramp(yarn: YarnConfig, theta: float, head_dim: int) -> np.ndarray:
    """0 where a channel keeps its frequency, 1 where it is interpolated (paper, eq. 18 to 23)."""

    def channel_with(turns: float) -> float:
        """The channel whose wave makes `turns` turns inside the original context."""
        length = yarn.original_max_position_embeddings
        return head_dim * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = channel_with(yarn.beta_fast), channel_with(yarn.beta_slow)
    if yarn.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    if low == high:
        high += 0.001  # the ramp becomes a step instead of a division by zero
    channels = np.arange(head_dim // 2, dtype=np.float64)
    return np.clip((channels - low) / (high - low), 0, 1)


#: Rotates (batch, heads, time, head_dim), each row by its position.
Rotation = Callable[[mx.array], mx.array]

#: Positions whose cosines and sines are tabulated; beyond, angles are added.
TABLE_ROWS = 256


class Rope:
    """Rotations of one model, in the half-split pairing.

    Angles are reduced in float64, so that no rotation loses accuracy with its position: in
    float32 an angle of 131,072 radians is off by about 1e-2.
    """

    def __init__(self, rope: RopeConfig, head_dim: int):
        self.head_dim = head_dim
        self._inverse = inverse_frequencies(rope, head_dim)
        self._near = self._table(np.arange(TABLE_ROWS))
        self._far = self._table(np.zeros(0))

    def at(self, positions: np.ndarray, gain: np.ndarray | None = None) -> Rotation:
        """The rotation of rows by `positions`, int (time,), and if given by factors `gain` (time,)."""
        if len(positions) == 1 and gain is None:
            return self._one_turn(int(positions[0]))
        cos, sin = self.cos_sin(positions)
        if gain is not None:
            factors = mx.array(gain.astype(np.float32))[:, None]
            cos, sin = cos * factors, sin * factors

        def rotate(x: mx.array) -> mx.array:
            first, second = mx.split(x, 2, axis=-1)
            return mx.concatenate(list(_turn(first, second, cos, sin)), axis=-1)

        return rotate

    def at_offsets(self, offsets: mx.array) -> Rotation:
        """The rotation of a batch whose rows begin at different positions, int (batch,).

        These offsets are known to the device alone, so the angles are float32.
        """
        freqs = mx.array((1.0 / self._inverse).astype(np.float32))
        return lambda x: mx.fast.rope(
            x, self.head_dim, traditional=False, base=None, scale=1.0, offset=offsets, freqs=freqs
        )

    def cos_sin(self, positions: np.ndarray) -> tuple[mx.array, mx.array]:
        """Cosines and sines, float32 (time, head_dim / 2) each."""
        (cos_far, sin_far), (cos_near, sin_near) = self.far(int(positions.max(initial=0))), self._near
        high, low = mx.array(positions // TABLE_ROWS), mx.array(positions % TABLE_ROWS)
        return _add_angles(cos_far[high], sin_far[high], cos_near[low], sin_near[low])

    @property
    def near(self) -> tuple[mx.array, mx.array]:
        """Cosines and sines of positions 0 to TABLE_ROWS."""
        return self._near

    def far(self, position: int) -> tuple[mx.array, mx.array]:
        """Cosines and sines of the multiples of TABLE_ROWS, at least up to `position`."""
        rows = position // TABLE_ROWS + 1
        if self._far[0].shape[0] < rows:
            rows = 1 << (rows - 1).bit_length()
            self._far = self._table(np.arange(rows) * TABLE_ROWS)
        return self._far

    def turns(self, positions: Sequence[int]) -> tuple[mx.array, mx.array]:
        """Cosines and sines of a few positions, float32 (positions, head_dim / 2) each, without a launch."""
        return self._table(np.array(positions))

    def _table(self, positions: np.ndarray) -> tuple[mx.array, mx.array]:
        angles = positions[:, None] * self._inverse
        return mx.array(np.cos(angles).astype(np.float32)), mx.array(np.sin(angles).astype(np.float32))

    def _one_turn(self, position: int) -> Rotation:
        """One position for all rows, in one launch: MLX's kernel with the reduced angle as its frequency."""
        angle = np.remainder(position * self._inverse + np.pi, 2 * np.pi) - np.pi
        angle[np.abs(angle) < 1e-30] = 1e-30  # MLX divides by its reciprocal
        freqs = mx.array((1.0 / angle).astype(np.float32))
        return lambda x: mx.fast.rope(
            x.reshape(x.shape[0], -1, 1, x.shape[3]), self.head_dim,
            traditional=False, base=None, scale=1.0, offset=1, freqs=freqs,
        ).reshape(x.shape)  # fmt: skip


@partial(mx.compile, shapeless=True)
def _turn(first: mx.array, second: mx.array, cos: mx.array, sin: mx.array) -> tuple[mx.array, mx.array]:
    dtype = first.dtype
    return (first * cos - second * sin).astype(dtype), (second * cos + first * sin).astype(dtype)


def _add_angles(
    cos_a: mx.array, sin_a: mx.array, cos_b: mx.array, sin_b: mx.array
) -> tuple[mx.array, mx.array]:
    return cos_a * cos_b - sin_a * sin_b, sin_a * cos_b + cos_a * sin_b
