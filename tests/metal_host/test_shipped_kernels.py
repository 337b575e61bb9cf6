"""Calibration: kernels that MLX ships, known to work on GPUs, give the right results here, and no sanitizer
has anything to say against them."""

from collections.abc import Callable

import mlx.core as mx
import pytest

from .host import MetalHost
from .rounding import DTYPES, assert_rounding_level
from .shipped_trials import Result, affine_qmv_fast, sdpa_vector, steel_attention
from .toolchain import Check

#: float32 sums of up to a thousand terms; 16-bit results are sums in float32, rounded once or twice.
STEPS = {mx.float32: 16.0, mx.float16: 1.0, mx.bfloat16: 1.0}

KERNELS: dict[str, Callable[[MetalHost, mx.Dtype], Result]] = {
    "sdpa_vector": lambda host, dtype: sdpa_vector(host, dtype, heads=(2, 1)),
    "affine_qmv_fast": affine_qmv_fast,
    "steel_attention": lambda host, dtype: steel_attention(host, dtype, heads=(2, 1), causal=True),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", KERNELS)
def test_a_shipped_kernel_is_exact_to_rounding(ordered: MetalHost, name: str, dtype: mx.Dtype) -> None:
    assert_rounding_level(*KERNELS[name](ordered, dtype), STEPS[dtype])


def test_shipped_attention_of_head_dimension_128_is_exact_to_rounding(host: MetalHost) -> None:
    assert_rounding_level(*sdpa_vector(host, mx.float16, heads=(2, 1), dim=128), 1)
    wide = steel_attention(host, mx.float16, heads=(2, 1), dim=128, key_block=16, causal=True, length=72)
    assert_rounding_level(*wide, 1)


def test_shipped_attention_over_whole_tiles_is_exact_to_rounding(host: MetalHost) -> None:
    assert_rounding_level(*steel_attention(host, mx.float16, length=64), 1)


@pytest.mark.parametrize("check", ["races", "bounds"])
@pytest.mark.parametrize("name", KERNELS)
def test_a_shipped_kernel_is_free_of_reports(
    checked: Callable[[Check], MetalHost], name: str, check: Check
) -> None:
    assert_rounding_level(*KERNELS[name](checked(check), mx.float16), 1)
