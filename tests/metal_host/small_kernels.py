"""Small kernels as MLX's documentation shows them, each with what it must compute."""

import mlx.core as mx
import numpy as np

from .host import MetalHost
from .rounding import as_double, assert_rounding_level

EXP = """
    uint elem = thread_position_in_grid.x;
    // The input may have any strides. They may be negative: 64 bits, or the location wraps around.
    int64_t loc = elem_to_loc<int64_t>(elem, inp_shape, inp_strides, inp_ndim);
    out[elem] = metal::exp(inp[loc]);
"""

RMS_NORM = """
    // One threadgroup for each row of N elements.
    threadgroup float partial[32];
    uint row = threadgroup_position_in_grid.x;
    uint lid = thread_position_in_threadgroup.x;
    uint step = threads_per_threadgroup.x;
    const device T* values = x + row * N;
    float sum = 0;
    for (uint i = lid; i < N; i += step) {
        float value = static_cast<float>(values[i]);
        sum += value * value;
    }
    sum = simd_sum(sum);
    if (thread_index_in_simdgroup == 0) {
        partial[simdgroup_index_in_threadgroup] = sum;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint lane = thread_index_in_simdgroup;
    sum = simd_sum(lane < simdgroups_per_threadgroup ? partial[lane] : 0.0f);
    float scale = metal::precise::rsqrt(sum / N + eps);
    for (uint i = lid; i < N; i += step) {
        out[row * N + i] = static_cast<T>(static_cast<float>(values[i]) * scale);
    }
"""

HISTOGRAM = """
    uint i = thread_position_in_grid.x;
    atomic_fetch_add_explicit(&counts[values[i]], 1, memory_order_relaxed);
"""


def exp(host: MetalHost, x: mx.array, source: str = EXP) -> mx.array:
    """exp of every element, from memory of any strides."""
    kernel = host.metal_kernel("exp", ["inp"], ["out"], source, ensure_row_contiguous=False)
    return kernel(
        inputs=[x],
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
        grid=(x.size, 1, 1),
        threadgroup=(64, 1, 1),
    )[0]


def rms_norm(host: MetalHost, x: mx.array, source: str = RMS_NORM, threads: int = 96) -> mx.array:
    """Each row of `x` (rows, N) divided by the root of its mean square."""
    rows, width = x.shape
    kernel = host.metal_kernel("rms_norm", ["x", "eps"], ["out"], source)
    return kernel(
        inputs=[x, 1e-6],
        template=[("T", x.dtype), ("N", width)],
        output_shapes=[x.shape],
        output_dtypes=[x.dtype],
        grid=(rows * threads, 1, 1),
        threadgroup=(threads, 1, 1),
    )[0]


def assert_rms_norm_is_right(host: MetalHost, source: str = RMS_NORM, dtype: mx.Dtype = mx.float32) -> None:
    x = mx.random.normal((2, 250), key=mx.random.key(0)).astype(dtype)
    values = as_double(x)
    reference = values / np.sqrt((values**2).mean(axis=1, keepdims=True) + 1e-6)
    assert_rounding_level(rms_norm(host, x, source), reference, steps=4 if dtype == mx.float32 else 1)


def histogram(host: MetalHost, values: mx.array, bins: int, source: str = HISTOGRAM) -> mx.array:
    """How often each of 0 ... bins - 1 occurs in `values`."""
    kernel = host.metal_kernel("histogram", ["values"], ["counts"], source, atomic_outputs=True)
    return kernel(
        inputs=[values],
        output_shapes=[(bins,)],
        output_dtypes=[mx.int32],
        grid=(values.size, 1, 1),
        threadgroup=(64, 1, 1),
        init_value=0,
    )[0]
