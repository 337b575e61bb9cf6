"""What `encode` promises whatever the method."""

import time

import mlx.core as mx
import numpy as np
import pytest

from quant.encode import all_finite, decode, encode
from quant.format import BITS, GROUP_SIZES, MICROSCALING, Format, check_format
from quant.packing import unpack
from qwen2_mlx.errors import Qwen2Error
from tests.quant.rows import DTYPES, float64, random_rows, squared_errors

FORMATS = [Format(4, 64), *MICROSCALING.values()]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_round_is_mlx_s_own_bit_for_bit(bits: int, group_size: int, dtype: str) -> None:
    rows = random_rows(dtype=dtype)
    parts = encode(rows, Format(bits, group_size), "round")
    for got, expected in zip(parts.values(), mx.quantize(rows, group_size, bits), strict=True):
        assert got.dtype == expected.dtype
        assert mx.array_equal(got, expected)


@pytest.mark.parametrize("format", MICROSCALING.values(), ids=str)
def test_the_floating_point_modes_are_mlx_s_own(format: Format) -> None:
    rows = random_rows()
    parts = encode(rows, format, "fit")
    expected = mx.quantize(rows, format.group_size, format.bits, mode=format.mode)
    assert parts.keys() == {"weight", "scales"}
    assert mx.array_equal(parts["weight"], expected[0])
    assert mx.array_equal(parts["scales"], expected[1])
    assert squared_errors(rows, parts, format).sum() < 0.05 * (float64(rows) ** 2).sum()


@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("method", ["fit", "round"])
def test_parts_have_the_announced_types_and_shapes(format: Format, method: str) -> None:
    rows = random_rows(dtype="float16")
    parts = encode(rows, format, method)
    got = {name: (str(part.dtype).removeprefix("mlx.core."), part.shape) for name, part in parts.items()}
    assert got == format.parts(rows.shape, "float16")


@pytest.mark.parametrize("bits", BITS)
def test_decoding_is_exact_in_float32_whatever_the_scales_are(bits: int) -> None:
    parts = encode(random_rows(), Format(bits, 64))
    scales, biases = (float64(parts[name])[..., None] for name in ("scales", "biases"))
    codes = np.array(unpack(parts["weight"], bits)).reshape(len(scales), -1, 64)
    exact = (scales * codes + biases).reshape(len(scales), -1)
    assert np.abs(float64(decode(parts, Format(bits, 64))) - exact).max() < 1e-8


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("method", ["fit", "round"])
def test_nan_and_infinity_are_refused_by_name(method: str, format: Format, dtype: str, bad: float) -> None:
    rows = random_rows(dtype=dtype, shape=(4, 128))
    rows[2, 77] = bad
    with pytest.raises(Qwen2Error, match=r"lm_head.weight holds NaN or infinity"):
        encode(rows, format, method, name="lm_head.weight")


@pytest.mark.parametrize("value", [2600.0, -2600.0])
def test_weights_beyond_the_scales_of_nvfp4_are_refused_by_name(value: float) -> None:
    rows = random_rows(shape=(4, 128))
    rows[1, 3] = value
    found = decode(encode(rows, MICROSCALING["nvfp4"]), MICROSCALING["nvfp4"])[1, 3].item()
    assert found == pytest.approx(value, rel=0.1)
    rows[1, 3] = 2 * value
    with pytest.raises(Qwen2Error, match=r"lm_head.weight holds weights too large for nvfp4"):
        encode(rows, MICROSCALING["nvfp4"], name="lm_head.weight")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_numbers_are_finite(dtype: str) -> None:
    assert all_finite(mx.array([[mx.finfo(DTYPES[dtype]).max, mx.finfo(DTYPES[dtype]).min]], DTYPES[dtype]))


@pytest.mark.parametrize(
    ("format", "reason"),
    [
        (Format(7, 64), "7 bits are not possible; choose one of 2, 3, 4, 5, 6 or 8"),
        (Format(4, 16), "a group size of 16 is not possible; choose one of 32, 64 or 128"),
        (Format(4, 64, "mxfp4"), "mxfp4 has 4 bits and groups of 32, not 4 and 64"),
        (Format(8, 32, "nvfp4"), "nvfp4 has 4 bits and groups of 16, not 8 and 32"),
        (Format(4, 32, "fp3"), "quantisation mode 'fp3' is unknown"),
    ],
)
def test_formats_without_kernels_are_refused_with_the_choices(format: Format, reason: str) -> None:
    with pytest.raises(Qwen2Error, match=reason):
        check_format(format)


def test_formats_with_kernels_pass() -> None:
    for format in [Format(bits, size) for bits in BITS for size in GROUP_SIZES] + FORMATS:
        assert check_format(format) == format


@pytest.mark.slow
def test_fitting_takes_a_few_times_as_long_as_mlx_s_rounding() -> None:
    """So that a conversion, most of which reads and writes, takes at most twice as long."""
    rows = random_rows(shape=(4864, 896))

    def seconds(method: str) -> float:
        taken = []
        for _ in range(5):
            start = time.process_time()
            mx.eval(*encode(rows, Format(4, 64), method).values())
            taken.append(time.process_time() - start)
        return min(taken)

    assert seconds("fit") < 8 * seconds("round")
