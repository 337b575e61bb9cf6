"""GGUF's block types as tables of where each bit is, independent of the reader.

A block holds codes, one or two float16 and, in the K types, small integers that these multiply.
For each type the tables say in which byte, at which shift, stand which bits of code or integer
number i. `pack` writes blocks by them, `values` says in float64 what the blocks mean, and
`quantise` chooses codes for given numbers, simply rather than well.

The tables were written from the public description of ggml's block types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: (byte, shift in it, first bit of the number, how many bits)
Place = tuple[int, int, int, int]
Places = Callable[[int], Sequence[Place]]


@dataclass(frozen=True)
class Layout:
    """A type: a value is d x (scale - scale_shift) x (code - code_shift) + sign x m x minimum."""

    nbytes: int
    block: int
    group: int
    code_bits: int
    code_shift: int
    code_places: Places
    d_at: int
    m_at: int | None = None
    sign: int = -1
    scale_bits: int = 0
    scale_shift: int = 0
    scale_places: Places | None = None
    minimum_places: Places | None = None

    @property
    def groups(self) -> int:
        return self.block // self.group


@dataclass
class Fields:
    """Blocks as numbers: d and m (n,), scales and minima (n, groups), codes (n, block), all float64."""

    d: np.ndarray
    m: np.ndarray
    scales: np.ndarray
    minima: np.ndarray
    codes: np.ndarray


def nibble(first: int) -> Places:
    """32 codes in 16 bytes: the first 16 in low halves, the others in high halves."""
    return lambda i: [(first + i % 16, 4 * (i // 16), 0, 4)]


def nibble_and_fifth_bit(first: int, fifth: int) -> Places:
    return lambda i: [*nibble(first)(i), (fifth + i // 8, i % 8, 4, 1)]


def k_nibble(first: int) -> Places:
    """256 codes: each 32 bytes have 32 codes in low halves and the next 32 in high halves."""
    return lambda i: [(first + i // 64 * 32 + i % 32, i % 64 // 32 * 4, 0, 4)]


def k_two_bits(first: int, at: int = 0) -> Places:
    """256 codes: each 32 bytes have four times 32 codes."""
    return lambda i: [(first + i // 128 * 32 + i % 32, i % 128 // 32 * 2, at, 2)]


def k_scale(g: int) -> list[Place]:
    return [(4 + g, 0, 0, 6)] if g < 4 else [(12 + g - 4, 0, 0, 4), (4 + g - 4, 6, 4, 2)]


def k_minimum(g: int) -> list[Place]:
    return [(8 + g, 0, 0, 6)] if g < 4 else [(12 + g - 4, 4, 0, 4), (8 + g - 4, 6, 4, 2)]


LAYOUTS = {
    "Q4_0": Layout(18, 32, 32, 4, 8, nibble(2), d_at=0),
    "Q4_1": Layout(20, 32, 32, 4, 0, nibble(4), d_at=0, m_at=2, sign=1),
    "Q5_0": Layout(22, 32, 32, 5, 16, nibble_and_fifth_bit(6, 2), d_at=0),
    "Q5_1": Layout(24, 32, 32, 5, 0, nibble_and_fifth_bit(8, 4), d_at=0, m_at=2, sign=1),
    "Q8_0": Layout(34, 32, 32, 8, 128, lambda i: [(2 + i, 0, 0, 8)], d_at=0),
    "Q2_K": Layout(
        84, 256, 16, 2, 0, k_two_bits(16), d_at=80, m_at=82, scale_bits=4,
        scale_places=lambda k: [(k, 0, 0, 4)], minimum_places=lambda k: [(k, 4, 0, 4)],
    ),
    "Q3_K": Layout(
        110, 256, 16, 3, 4, lambda i: [*k_two_bits(32)(i), (i % 32, i // 32, 2, 1)],
        d_at=108, scale_bits=6, scale_shift=32,
        scale_places=lambda k: [(96 + k % 8, k // 8 * 4, 0, 4), (104 + k % 4, k // 4 * 2, 4, 2)],
    ),
    "Q4_K": Layout(
        144, 256, 32, 4, 0, k_nibble(16), d_at=0, m_at=2, scale_bits=6,
        scale_places=k_scale, minimum_places=k_minimum,
    ),
    "Q5_K": Layout(
        176, 256, 32, 5, 0, lambda i: [*k_nibble(48)(i), (16 + i % 32, i // 32, 4, 1)],
        d_at=0, m_at=2, scale_bits=6, scale_places=k_scale, minimum_places=k_minimum,
    ),
    "Q6_K": Layout(
        210, 256, 16, 6, 32,
        lambda i: [
            (i // 128 * 64 + i % 64, i % 128 // 64 * 4, 0, 4), *k_two_bits(128, at=4)(i),
        ],
        d_at=208, scale_bits=8, scale_places=lambda k: [(192 + k, 0, 0, 8)],
    ),
}  # fmt: skip


def pack(kind: str, fields: Fields) -> np.ndarray:
    """The blocks as they are stored: uint8 (n, bytes of a block)."""
    layout = LAYOUTS[kind]
    blocks = np.zeros((len(fields.d), layout.nbytes), np.uint8)
    codes = fields.codes.astype(np.int64)
    if kind == "Q8_0":
        codes -= layout.code_shift  # the only codes that are stored signed
    _put(blocks, layout.code_places, codes)
    if layout.scale_places:
        _put(blocks, layout.scale_places, fields.scales.astype(np.int64))
    if layout.minimum_places:
        _put(blocks, layout.minimum_places, fields.minima.astype(np.int64))
    blocks[:, layout.d_at : layout.d_at + 2] = _half_bytes(fields.d)
    if layout.m_at is not None:
        blocks[:, layout.m_at : layout.m_at + 2] = _half_bytes(fields.m)
    return blocks


def values(kind: str, fields: Fields) -> np.ndarray:
    """What the blocks mean: float64 (n, block)."""
    layout = LAYOUTS[kind]
    scales, offsets = group_parameters(kind, fields)
    codes = fields.codes.reshape(-1, layout.groups, layout.group)
    return (scales[..., None] * (codes - layout.code_shift) + offsets[..., None]).reshape(fields.codes.shape)


def group_parameters(kind: str, fields: Fields) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset of each group, float64 (n, groups)."""
    layout = LAYOUTS[kind]
    return fields.d[:, None] * (fields.scales - layout.scale_shift), layout.sign * fields.m[
        :, None
    ] * fields.minima


def random_fields(kind: str, count: int, seed: int = 0) -> Fields:
    """Blocks with every code, integer and sign."""
    layout, random = LAYOUTS[kind], np.random.default_rng(seed)
    groups = (count, layout.groups)
    scales, minima = np.ones(groups), np.zeros(groups) if layout.m_at is None else np.ones(groups)
    if layout.scale_places:
        low = -(2 ** (layout.scale_bits - 1)) if kind == "Q6_K" else 0
        scales = random.integers(low, low + 2**layout.scale_bits, groups).astype(float)
    if layout.minimum_places:
        minima = random.integers(0, 2**layout.scale_bits, groups).astype(float)
    return Fields(
        d=_as_half(random.normal(0, 0.05, count)),
        m=_as_half(random.normal(0, 0.05, count)),
        scales=scales,
        minima=minima,
        codes=random.integers(0, 2**layout.code_bits, (count, layout.block)).astype(float),
    )


def quantise(kind: str, numbers: np.ndarray) -> Fields:
    """Codes for `numbers` (n, block), rounded to the nearest within simply chosen scales."""
    layout = LAYOUTS[kind]
    grouped = numbers.astype(float).reshape(-1, layout.groups, layout.group)
    top, levels = 2**layout.code_bits - 1, 2**layout.scale_bits - 1
    if layout.m_at is None:
        wanted = np.abs(grouped).max(-1) / (top - layout.code_shift)
        minima = below = np.zeros(wanted.shape)
    else:
        below = np.minimum(grouped.min(-1), 0)
        wanted = (np.maximum(grouped.max(-1), 0) - below) / top
        minima = np.ones(wanted.shape)
    scales = np.ones(wanted.shape)
    if layout.scale_places:
        largest = levels if layout.minimum_places else levels // 2
        d = _as_half(wanted.max(-1) / largest)
        scales = np.clip(np.ceil(wanted / np.maximum(d, 1e-30)[:, None]), 0, largest) + layout.scale_shift
    else:
        d = _as_half(wanted[:, 0])
    if layout.minimum_places:
        m = _as_half(-below.min(-1) / levels)
        minima = np.clip(np.round(-below / np.maximum(m, 1e-30)[:, None]), 0, levels)
    else:
        m = _as_half(below[:, 0])
    fields = Fields(d, m, scales, minima, np.zeros(numbers.shape))
    steps, offsets = group_parameters(kind, fields)
    codes = (
        np.round((grouped - offsets[..., None]) / np.where(steps, steps, 1)[..., None]) + layout.code_shift
    )
    fields.codes = np.clip(codes, 0, top).reshape(numbers.shape)
    return fields


def _put(blocks: np.ndarray, places: Places, numbers: np.ndarray) -> None:
    for i in range(numbers.shape[1]):
        for byte, shift, first, count in places(i):
            blocks[:, byte] |= ((numbers[:, i] >> first & (1 << count) - 1) << shift).astype(np.uint8)


def _half_bytes(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype("<f2").view(np.uint8).reshape(-1, 2)


def _as_half(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.float16).astype(float)
