"""Pointers without an address space, or with the wrong one, are noticed where a clang is installed."""

import mlx.core as mx
import pytest

from .host import MetalHost
from .small_kernels import EXP, RMS_NORM
from .spaces import AddressSpaceError, check_address_spaces, clang
from .toolchain import Toolchain

pytestmark = pytest.mark.skipif(not clang(), reason="no clang++ (Debian, Ubuntu: apt install clang)")

POINTER = "const device T* values"


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16], ids=str)
def test_right_address_spaces_are_left_alone(toolchain: Toolchain, dtype: mx.Dtype) -> None:
    check(toolchain, RMS_NORM, dtype)


def test_mlx_helpers_may_be_used(toolchain: Toolchain) -> None:
    kernel = MetalHost(toolchain).metal_kernel("exp", ["inp"], ["out"], EXP, ensure_row_contiguous=False)
    check_address_spaces(
        kernel,
        inputs=[mx.ones((4, 4))],
        output_shapes=[(4, 4)],
        output_dtypes=[mx.float32],
        grid=(16, 1, 1),
        threadgroup=(16, 1, 1),
    )


@pytest.mark.parametrize(
    "pointer", ["const T* values", "const threadgroup T* values", "const constant T* values"]
)
def test_a_wrong_address_space_is_noticed_where_it_is(toolchain: Toolchain, pointer: str) -> None:
    assert POINTER in RMS_NORM
    with pytest.raises(AddressSpaceError, match=r"rms_norm:7:\d+: error: cannot initialize"):
        check(toolchain, RMS_NORM.replace(POINTER, pointer), mx.float32)


def test_an_atomic_of_a_wrong_address_space_is_noticed(toolchain: Toolchain) -> None:
    source = "atomic_int own; atomic_fetch_add_explicit(&own, 1, memory_order_relaxed); out[0] = 1;"
    kernel = MetalHost(toolchain).metal_kernel("count", [], ["out"], source)
    with pytest.raises(AddressSpaceError, match=r"count:1:.*atomic_fetch_add_explicit"):
        check_address_spaces(
            kernel,
            inputs=[],
            output_shapes=[(1,)],
            output_dtypes=[mx.float32],
            grid=(1, 1, 1),
            threadgroup=(1, 1, 1),
        )


def check(toolchain: Toolchain, source: str, dtype: mx.Dtype) -> None:
    kernel = MetalHost(toolchain).metal_kernel("rms_norm", ["x", "eps"], ["out"], source)
    check_address_spaces(
        kernel,
        inputs=[mx.ones((2, 64), dtype=dtype), 1e-6],
        template=[("T", dtype), ("N", 64)],
        output_shapes=[(2, 64)],
        output_dtypes=[dtype],
        grid=(64, 1, 1),
        threadgroup=(32, 1, 1),
    )
