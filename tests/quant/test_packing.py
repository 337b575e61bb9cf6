"""Codes in MLX's words."""

import mlx.core as mx
import numpy as np
import pytest

from quant.format import BITS
from quant.packing import pack, unpack
from tests.quant.rows import random_rows


def codes(bits: int, shape: tuple[int, ...] = (3, 5, 64)) -> mx.array:
    return mx.array(np.random.default_rng(bits).integers(0, 2**bits, shape).astype(np.uint8))


@pytest.mark.parametrize(
    ("bits", "values", "words"),
    [
        (2, range(16), [0xE4E4E4E4]),
        (4, range(8), [0x76543210]),
        # 32 codes 0..7: ten and two thirds fit a word, low bits first across its end
        (3, range(32), [0x88FAC688, 0xC688FAC6, 0xFAC688FA]),
        (8, [1, 2, 3, 255, 0, 0, 0, 128], [0xFF030201, 0x80000000]),
    ],
)
def test_words_written_down_by_hand(bits: int, values: list[int], words: list[int]) -> None:
    each = mx.array(np.array([value % 2**bits for value in values], np.uint8))[None]
    assert pack(each, bits).tolist() == [words]
    assert unpack(mx.array(words, dtype=mx.uint32)[None], bits).tolist() == each.tolist()


@pytest.mark.parametrize("bits", BITS)
def test_packing_is_undone_by_unpacking(bits: int) -> None:
    packed = pack(codes(bits), bits)
    assert packed.shape == (3, 5, 2 * bits)
    assert mx.array_equal(unpack(packed, bits), codes(bits))


@pytest.mark.parametrize("bits", BITS)
def test_mlx_reads_and_writes_the_same_words(bits: int) -> None:
    """Of scale 1 and bias 0, MLX's dequantised weights are the codes themselves."""
    ones = mx.ones((3, 5, 1))
    assert mx.array_equal(mx.dequantize(pack(codes(bits), bits), ones, 0 * ones, 64, bits), codes(bits))
    words = mx.quantize(random_rows(), 64, bits)[0]
    assert mx.array_equal(pack(unpack(words, bits), bits), words)


def test_packing_leaves_the_codes_alone() -> None:
    original = codes(3)
    pack(original, 3)
    assert mx.array_equal(original, codes(3))
