"""Rotary frequencies against the float64 formulas, and the angles that the model turns by.

Formulas: arXiv 2309.00071 (YaRN), sections 3.2 to 3.4, with the field names of `rope_scaling`.
"""

import math

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.attention.rope import Rope, attention_temperature, inverse_frequencies
from qwen2_mlx.config import RopeConfig, YarnConfig

BASE = 1e6
FACTOR_4 = YarnConfig(factor=4.0, original_max_position_embeddings=32768)

#: inv_freq of Qwen2 with factor 4 over 32768 tokens: {head_dim: {channel: radians per token}}.
PUBLISHED_SHAPES = {
    128: {
        23: 6.9783058486e-3,
        24: 5.3753214908e-3,
        32: 6.0294117647e-4,
        39: 6.4903943208e-5,
        40: 4.4456985251e-5,
        63: 3.1023444019e-7,
    },
    64: {11: 8.6596432336e-3, 15: 1.0266176840e-3, 20: 4.4456985251e-5},
}
SETTINGS = [
    FACTOR_4,
    YarnConfig(factor=2.0, original_max_position_embeddings=32768),
    YarnConfig(factor=4.0, original_max_position_embeddings=32768, truncate=False),
    YarnConfig(factor=8.0, original_max_position_embeddings=4096, beta_fast=16.0, beta_slow=2.0),
    YarnConfig(factor=4.0, original_max_position_embeddings=32),
]


def plain(head_dim: int, base: float) -> list[float]:
    return [base ** (-2 * channel / head_dim) for channel in range(head_dim // 2)]


def by_formula(yarn: YarnConfig, head_dim: int, base: float) -> list[float]:
    """The definition, channel by channel."""

    def channel_of(turns: float) -> float:
        wavelength = yarn.original_max_position_embeddings / turns
        return head_dim / 2 * math.log(wavelength / (2 * math.pi), base)

    low, high = channel_of(yarn.beta_fast), channel_of(yarn.beta_slow)
    if yarn.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(0.0, low), min(high, head_dim - 1.0)
    blended = []
    for channel, kept in enumerate(plain(head_dim, base)):
        share = min(max((channel - low) / (high - low), 0.0), 1.0)
        blended.append((1 - share) * kept + share * kept / yarn.factor)
    return blended


def rotated_angles(rope: RopeConfig, head_dim: int, offset: int) -> np.ndarray:
    """Radians by which `Rope` turns each channel pair of a token at position `offset`, in (-pi, pi]."""
    first_halves = mx.concatenate([mx.ones(head_dim // 2), mx.zeros(head_dim // 2)]).reshape(
        1, 1, 1, head_dim
    )
    rope_of_model, position = Rope(rope, head_dim), np.array([offset])
    found = []
    for rotate in (rope_of_model.at(position), rope_of_model.at(position, gain=np.ones(1))):
        turned = np.array(rotate(first_halves))[0, 0, 0].astype(np.float64)
        found.append(np.arctan2(turned[head_dim // 2 :], turned[: head_dim // 2]))
    one_launch, by_tables = found
    assert np.abs(np.angle(np.exp(1j * (one_launch - by_tables)))).max() < 1e-6
    return by_tables


@pytest.mark.parametrize("head_dim", [64, 128])
@pytest.mark.parametrize("base", [1e4, 1e6, 1e7])
def test_plain_frequencies_follow_the_formula(head_dim: int, base: float) -> None:
    assert inverse_frequencies(RopeConfig(base), head_dim) == pytest.approx(plain(head_dim, base), rel=1e-12)


@pytest.mark.parametrize("yarn", SETTINGS, ids=str)
@pytest.mark.parametrize("head_dim", [64, 128])
@pytest.mark.parametrize("base", [1e4, 1e6])
def test_yarn_frequencies_follow_the_formula(yarn: YarnConfig, head_dim: int, base: float) -> None:
    computed = inverse_frequencies(RopeConfig(base, yarn), head_dim)
    assert computed == pytest.approx(by_formula(yarn, head_dim, base), rel=1e-12)


@pytest.mark.parametrize("head_dim", PUBLISHED_SHAPES)
def test_yarn_frequencies_have_the_published_values(head_dim: int) -> None:
    computed = inverse_frequencies(RopeConfig(BASE, FACTOR_4), head_dim)
    for channel, value in PUBLISHED_SHAPES[head_dim].items():
        assert computed[channel] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("head_dim", "last_kept", "first_interpolated"), [(128, 23, 40), (64, 11, 20)])
def test_yarn_keeps_fast_channels_and_divides_slow_ones(
    head_dim: int, last_kept: int, first_interpolated: int
) -> None:
    ratio = inverse_frequencies(RopeConfig(BASE, FACTOR_4), head_dim) / plain(head_dim, BASE)
    assert ratio[: last_kept + 1] == pytest.approx(1.0, rel=1e-12)
    assert ratio[first_interpolated:] == pytest.approx(0.25, rel=1e-12)
    between = ratio[last_kept : first_interpolated + 1]
    assert np.all(np.diff(between) < 0)


def test_a_ramp_of_no_width_is_a_step_and_not_a_division_by_zero() -> None:
    yarn = YarnConfig(factor=4.0, original_max_position_embeddings=6)
    ratio = inverse_frequencies(RopeConfig(BASE, yarn), 64) / plain(64, BASE)
    assert ratio == pytest.approx([1.0] + [0.25] * 31)


@pytest.mark.parametrize("head_dim", PUBLISHED_SHAPES)
def test_the_model_turns_by_the_yarn_frequencies(head_dim: int) -> None:
    angles = rotated_angles(RopeConfig(BASE, FACTOR_4), head_dim, offset=1)
    assert angles == pytest.approx(by_formula(FACTOR_4, head_dim, BASE), rel=1e-6)


@pytest.mark.parametrize("yarn", [None, FACTOR_4], ids=["plain", "yarn"])
@pytest.mark.parametrize("offset", [0, 5, 255, 256, 4095, 131071, 1_010_000])
def test_angles_are_as_exact_at_a_million_as_at_the_start(yarn: YarnConfig | None, offset: int) -> None:
    frequencies = by_formula(yarn, 128, BASE) if yarn else plain(128, BASE)
    expected = offset * np.array(frequencies)
    turned = rotated_angles(RopeConfig(BASE, yarn), 128, offset)
    difference = np.angle(np.exp(1j * (turned - expected)))
    assert np.abs(difference).max() < 1e-6


def test_positions_within_a_piece_count_on_from_the_offset() -> None:
    rope = Rope(RopeConfig(BASE, FACTOR_4), 64)
    x = mx.random.normal((2, 3, 7, 64), key=mx.random.key(0))
    together = np.array(rope.at(np.arange(252, 259))(x))
    for step in range(7):
        alone = np.array(rope.at(np.array([252 + step]))(x[:, :, step : step + 1]))
        assert np.abs(together[:, :, step : step + 1] - alone).max() < 1e-6


def test_rows_of_a_batch_may_stand_at_positions_of_their_own() -> None:
    rope = Rope(RopeConfig(BASE), 64)
    x = mx.random.normal((2, 3, 4, 64), key=mx.random.key(0))
    together = np.array(rope.at_offsets(mx.array([3, 90]))(x))
    for row, offset in enumerate((3, 90)):
        alone = np.array(rope.at(np.arange(offset, offset + 4))(x[row : row + 1]))
        assert np.abs(together[row : row + 1] - alone).max() < 1e-5


def test_a_gain_scales_the_rows_it_belongs_to() -> None:
    rope = Rope(RopeConfig(BASE), 64)
    x = mx.random.normal((1, 2, 3, 64), key=mx.random.key(0))
    gains = np.array([1.0, 2.0, 0.5])
    plainly = np.array(rope.at(np.arange(3))(x))
    scaled = np.array(rope.at(np.arange(3), gain=gains)(x))
    assert np.abs(scaled - plainly * gains[:, None]).max() < 1e-6


def test_half_precision_is_turned_in_full_precision_and_rounded_once() -> None:
    rope = Rope(RopeConfig(BASE), 64)
    x = mx.random.normal((1, 2, 5, 64), key=mx.random.key(0)).astype(mx.bfloat16)
    positions = np.arange(100_000, 100_005)
    turned = rope.at(positions)(x)
    assert turned.dtype == mx.bfloat16
    assert mx.array_equal(turned, rope.at(positions)(x.astype(mx.float32)).astype(mx.bfloat16))


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [
        ({}, 1.1386294361),
        ({"factor": 1.0}, 1.0),
        ({"attention_factor": 0.8}, 0.8),
        ({"attention_factor": 1.0}, 1.0),
        ({"mscale": 2.0, "mscale_all_dim": 0.5}, (0.2 * math.log(4) + 1) / (0.05 * math.log(4) + 1)),
        ({"mscale": 2.0}, 1.1386294361),
        ({"mscale_all_dim": 2.0}, 1.1386294361),
    ],
    ids=str,
)
def test_attention_temperature(settings: dict[str, float], temperature: float) -> None:
    yarn = YarnConfig(**({"factor": 4.0, "original_max_position_embeddings": 32768} | settings))  # type: ignore[arg-type]
    assert attention_temperature(RopeConfig(BASE, yarn)) == pytest.approx(temperature, rel=1e-9)


def test_plain_rope_has_no_temperature() -> None:
    assert attention_temperature(RopeConfig(BASE)) == 1.0
