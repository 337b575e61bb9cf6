"""Rotary position embedding: plain frequencies and YaRN.

Frequencies are computed in float64 and rounded once. YaRN follows the paper
(arXiv 2309.00071) in the form transformers computes it; its attention temperature
multiplies queries and keys alike, so here it is squared into the softmax scale,
which leaves the cached keys unscaled.
"""

import math

import mlx.core as mx
import mlx.nn as nn
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


class Rope(nn.Module):
    """Rotates (batch, heads, time, head_dim) by position, in the half-split pairing."""

    def __init__(self, rope: RopeConfig, head_dim: int):
        super().__init__()
        self.head_dim = head_dim
        # MLX wants positions per radian. The underscore keeps it out of the parameters.
        self._freqs = mx.array((1.0 / inverse_frequencies(rope, head_dim)).astype(np.float32))

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        return mx.fast.rope(
            x, self.head_dim, traditional=False, base=None, scale=1.0, offset=offset, freqs=self._freqs
        )
