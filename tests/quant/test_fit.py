"""Codes, scales and biases fitted by least squares."""

import mlx.core as mx
import numpy as np
import pytest

import quant.encode
from quant.encode import all_finite, decode, encode
from quant.format import BITS, GROUP_SIZES, Format
from quant.packing import unpack
from qwen2_mlx.errors import Qwen2Error
from tests.quant.rows import DISTRIBUTIONS, DTYPES, float64, random_rows, squared_errors

#: Squared error at most this part of `mx.quantize`'s.
GAINS = {2: 0.73, 3: 0.79, 4: 0.84, 5: 0.86, 6: 0.87, 8: 0.88}
BFLOAT16_GAIN_AT_8_BITS = 0.60


def both(rows: mx.array, format: Format) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of each group, fitted and by `mx.quantize`."""
    return squared_errors(rows, encode(rows, format), format), squared_errors(
        rows, encode(rows, format, "round"), format
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_squared_error_is_much_smaller_than_mlx_s(distribution: str, bits: int, dtype: str) -> None:
    fitted, rounded = both(random_rows(distribution, dtype), Format(bits, 64))
    gain = BFLOAT16_GAIN_AT_8_BITS if (bits, dtype) == (8, "bfloat16") else GAINS[bits]
    assert fitted.sum() < gain * rounded.sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_no_group_is_worse_than_mlx_s(bits: int, group_size: int, dtype: str) -> None:
    fitted, rounded = both(random_rows("t5", dtype), Format(bits, group_size))
    # In float32 a difference of weights that lie 2^bits steps from the bias is itself rounded.
    assert (fitted <= rounded * (1 + 2**bits * 1e-6)).all()
    assert fitted.sum() < 0.95 * rounded.sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
def test_every_code_is_the_nearest_to_its_weight(bits: int, dtype: str) -> None:
    """That is, for the scale and bias as stored, in float64."""
    rows, format = random_rows("laplace", dtype), Format(bits, 64)
    parts = encode(rows, format)
    assert parts["scales"].dtype == parts["biases"].dtype == rows.dtype
    scales, biases = (float64(parts[name])[..., None] for name in ("scales", "biases"))
    exact = (float64(rows).reshape(len(rows), -1, 64) - biases) / scales
    codes = np.array(unpack(parts["weight"], bits)).reshape(exact.shape)
    assert (np.abs(codes - np.clip(exact, 0, 2**bits - 1)) < 0.5 + 1e-4).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("bits", BITS)
def test_what_was_quantised_before_comes_back(bits: int, dtype: str) -> None:
    """Where a group reaches both outermost codes, which says how wide its steps are."""
    format = Format(bits, 64)
    first = encode(random_rows(dtype=dtype), format)
    decoded = decode(first, format)
    again = encode(decoded, format)
    codes, codes_again = (
        np.array(unpack(parts["weight"], bits)).astype(int).reshape(-1, 64) for parts in (first, again)
    )
    top = 2**bits - 1
    known = (codes.min(axis=1) == 0) & (codes.max(axis=1) == top)
    same = (codes == codes_again).all(axis=1) | (top - codes == codes_again).all(axis=1)
    assert known.mean() > 0.9
    assert same[known].all()
    steps = np.abs(float64(first["scales"])).reshape(-1, 1)
    moved = np.abs(float64(decode(again, format)) - float64(decoded)).reshape(-1, 64) / steps
    assert moved[known].max() < 1e-4


@pytest.mark.parametrize("format", [Format(4, 64), Format(8, 32), Format(3, 128)])
def test_a_matrix_cut_anywhere_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    rows = random_rows(shape=(67, 896))
    whole = encode(rows, format)
    monkeypatch.setattr(quant.encode, "_PIECE", 5 * 896)
    for cuts in ([1, 2, 9, 40], [66], list(range(1, 67))):
        pieces = [
            encode(rows[start:stop], format)
            for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True)
        ]
        for name, expected in whole.items():
            assert mx.array_equal(mx.concatenate([piece[name] for piece in pieces]), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", BITS)
def test_constant_groups_are_exact(bits: int, dtype: str) -> None:
    values = mx.array([0.0, -0.0, 1.0, -0.3, 60000.0, -2e-7, 6e-8]).astype(DTYPES[dtype])
    rows = mx.repeat(values[:, None], 64, axis=1)
    parts = encode(rows, Format(bits, 64))
    assert mx.array_equal(decode(parts, Format(bits, 64)), rows.astype(mx.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6, 3e-7, 1e-12, 1e-30])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_tiny_weights_give_finite_parts_and_no_larger_error_than_mlx(
    bits: int, size: float, dtype: str
) -> None:
    """In float16 such scales are subnormal: a few digits at most, or nothing."""
    rows = (random_rows(dtype="float32", shape=(32, 128)) * (size / 0.02)).astype(DTYPES[dtype])
    format = Format(bits, 64)
    parts = encode(rows, format)
    assert all_finite(parts["scales"])
    assert all_finite(parts["biases"])
    fitted, rounded = both(rows, format)
    assert (fitted <= rounded * (1 + 1e-3)).all()


def test_one_large_weight_among_small_ones_is_kept() -> None:
    rows = mx.concatenate([random_rows(shape=(4, 63)), mx.full((4, 1), 8.0, mx.bfloat16)], axis=1)
    fitted, rounded = both(rows, Format(4, 64))
    assert (fitted <= rounded).all()


def test_weights_too_large_to_scale_are_refused() -> None:
    rows = mx.array(np.array([[-3e38, 3e38] * 32], np.float32))
    with pytest.raises(Qwen2Error, match="too large"):
        encode(rows, Format(4, 64))
