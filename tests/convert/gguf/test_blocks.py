"""Every type of block means what its public description says: by golden bytes and by random blocks."""

import numpy as np
import pytest

from convert.gguf.blocks import CODED, INEXACT_IN_HALF
from convert.gguf.dequantise import GROUPS_OF_16, dequantise
from convert.gguf.tensor_types import SUPPORTED
from tests.convert.gguf.blocks import LAYOUTS, group_parameters, pack, random_fields, values
from tests.convert.gguf.container import TYPES

HALF, ONE, TWO, MINUS_ONE = b"\x00\x38", b"\x00\x3c", b"\x00\x40", b"\x00\xbc"

#: By type: a block written by hand, and some of its weights by index, worked out by hand.
GOLDEN: dict[str, tuple[bytes, dict[int, float]]] = {
    # d 0.5; byte 0 holds codes 15 (weight 0) and 1 (weight 16); 0x88 is the code 8 twice, which is zero
    "Q4_0": (HALF + b"\x1f" + b"\x88" * 15, {0: 3.5, 16: -3.5, 1: 0, 31: 0}),
    # d 2, m -1
    "Q4_1": (TWO + MINUS_ONE + b"\x00" * 15 + b"\xf3", {0: -1, 15: 5, 31: 29}),
    # fifth bits of weights 0 and 31: codes 16 + 2 and 16 + 3, of weight 16 none: code 1
    "Q5_0": (ONE + b"\x01\x00\x00\x80" + b"\x12" + b"\x00" * 14 + b"\x30", {0: 2, 16: -15, 31: 3, 1: -16}),
    "Q5_1": (HALF + ONE + b"\x00\x01\x00\x00" + b"\x00" * 8 + b"\x4f" + b"\x00" * 7, {8: 16.5, 24: 3, 0: 1}),
    "Q8_0": (HALF + b"\x80" + b"\x7f" + b"\xff" * 30, {0: -64, 1: 63.5, 31: -0.5}),
    # scales[0] = 3 with minimum 2, scales[15] = 1 with minimum 0; d 1, dmin 0.5
    "Q2_K": (
        b"\x23" + b"\x00" * 14 + b"\x01" + b"\x03" + b"\x00" * 62 + b"\xc0" + ONE + HALF,
        {0: 8, 1: -1, 16: 0, 255: 3},
    ),
    # scale 0: low bits 1, upper 2, so 33 - 32 = 1; scale 15: low 15, upper 1, so 31 - 32 = -1.
    # third bit of weight 0 set, its low code 1: 5 - 4; weight 255: low code 2, no third bit: 2 - 4
    "Q3_K": (
        b"\x01" + b"\x00" * 31 + b"\x01" + b"\x00" * 62 + b"\x80"
        + b"\x01" + b"\x00" * 6 + b"\xf0" + b"\x02\x00\x00\x40" + TWO,
        {0: 2, 1: -8, 255: 4, 16: 256},
    ),
    # group 0: scale 63, minimum 1; group 4: scale 16 + 3, minimum 32 + 2
    "Q4_K": (
        ONE + HALF + b"\x7f\x00\x00\x00" + b"\x81\x00\x00\x00" + b"\x23\x00\x00\x00"
        + b"\x02" + b"\x00" * 63 + b"\x05" + b"\x00" * 63,
        {0: 125.5, 1: -0.5, 32: 0, 128: 78, 129: -17},
    ),
    # fifth bits: 0x81 for weight 0 of groups 0 and 7; group 7: scale 1, minimum 0
    "Q5_K": (
        ONE + HALF + b"\x02\x00\x00\x00" + b"\x00" * 4 + b"\x00\x00\x00\x01"
        + b"\x81" + b"\x00" * 31 + b"\x0f" + b"\x00" * 95 + b"\x30" + b"\x00" * 31,
        {0: 62, 1: 0, 224: 19, 225: 0},
    ),
    # scale 0 is -2, scale 8 is 1; weight 0: low 1, upper 3: 49 - 32; weight 128: low 15, upper 0
    "Q6_K": (
        b"\x01" + b"\x00" * 63 + b"\x0f" + b"\x00" * 63 + b"\x03" + b"\x00" * 63
        + b"\xfe" + b"\x00" * 7 + b"\x01" + b"\x00" * 7 + HALF,
        {0: -17, 1: 32, 128: -8.5, 129: -16, 32: 0},
    ),
}  # fmt: skip


def decoded(kind: str, blocks: np.ndarray) -> np.ndarray:
    return dequantise(blocks, SUPPORTED[TYPES[kind]])


@pytest.mark.parametrize("kind", GOLDEN)
def test_a_block_written_by_hand_is_read_as_worked_out_by_hand(kind: str) -> None:
    block, expected = GOLDEN[kind]
    weights = decoded(kind, np.frombuffer(block, np.uint8)[None])
    assert len(block) == SUPPORTED[TYPES[kind]].nbytes
    assert {index: float(weights[0, index]) for index in expected} == expected


@pytest.mark.parametrize("kind", LAYOUTS)
def test_random_blocks_are_decoded_as_float64_says(kind: str) -> None:
    fields = random_fields(kind, 400)
    expected = values(kind, fields)
    got = decoded(kind, pack(kind, fields))
    assert np.abs(got - expected).max() <= 2.0**-23 * np.abs(expected).max()


@pytest.mark.parametrize("kind", CODED)
def test_codes_are_kept_and_scales_are_exact(kind: str) -> None:
    fields = random_fields(kind, 400, seed=1)
    codes, scales, biases = CODED[kind][1](pack(kind, fields))
    expected_scales, offsets = group_parameters(kind, fields)
    assert np.array_equal(codes.reshape(fields.codes.shape), fields.codes)
    assert np.array_equal(scales, expected_scales)
    assert np.array_equal(biases, offsets - LAYOUTS[kind].code_shift * expected_scales)


@pytest.mark.parametrize("kind", sorted(CODED.keys() - {*INEXACT_IN_HALF}))
def test_the_simple_types_are_exact_in_float16(kind: str) -> None:
    _, scales, biases = CODED[kind][1](pack(kind, random_fields(kind, 400, seed=2)))
    assert np.array_equal(scales.astype(np.float16), scales)
    assert np.array_equal(biases.astype(np.float16), biases)


@pytest.mark.parametrize("kind", INEXACT_IN_HALF)
def test_k_scales_lose_at_most_half_a_unit_in_the_last_place_of_float16(kind: str) -> None:
    _, scales, _ = CODED[kind][1](pack(kind, random_fields(kind, 400, seed=3)))
    error = np.abs(scales.astype(np.float16).astype(float) - scales)
    assert error.max() > 0
    assert (error <= np.maximum(2.0**-11 * np.abs(scales), 2.0**-25)).all()


@pytest.mark.parametrize("kind", [*CODED, *GROUPS_OF_16, "BF16", "F16", "F32"])
def test_the_gguf_package_decodes_the_same(kind: str) -> None:
    package = pytest.importorskip("gguf")
    if kind in LAYOUTS:
        stored = pack(kind, random_fields(kind, 200, seed=4))
    else:
        numbers = np.random.default_rng(5).normal(size=(50, 64)).astype(np.float32)
        width = {"BF16": 2, "F16": 2, "F32": 4}[kind]
        stored = {
            "BF16": numbers.view(np.uint8).reshape(50, 64, 4)[..., 2:],
            "F16": numbers.astype(np.float16),
        }
        stored = np.ascontiguousarray(stored.get(kind, numbers)).view(np.uint8).reshape(50, 64 * width)
    theirs = package.dequantize(stored, package.GGMLQuantizationType[kind])
    assert np.allclose(decoded(kind, stored), theirs, rtol=2e-7, atol=1e-9)
