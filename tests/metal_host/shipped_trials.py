"""Kernels that MLX ships, run on small inputs: each function returns the result and what it must be.

References are computed in double precision from the inputs as rounded to the dtype.
"""

import struct

import mlx.core as mx
import numpy as np

from .arrays import empty_output, from_numpy, to_numpy
from .host import MetalHost
from .launch import Buffer
from .rounding import as_double
from .shipped import ShippedKernel

NAMES = {mx.float32: "float", mx.float16: "half", mx.bfloat16: "bfloat16_t"}
Result = tuple[mx.array, np.ndarray]


def sdpa_vector_kernel(dtype: mx.Dtype, dim: int = 64) -> ShippedKernel:
    switches = ("has_mask", "query_transposed", "do_causal", "bool_mask", "float_mask", "has_sinks", "blocks")
    return ShippedKernel("sdpa_vector.h", "sdpa_vector", f"{NAMES[dtype]}, {dim}", dict.fromkeys(switches, 0))


def sdpa_vector(
    host: MetalHost,
    dtype: mx.Dtype,
    heads: tuple[int, int] = (1, 1),
    dim: int = 64,
    source: str | None = None,
) -> Result:
    """Attention of one query over 70 keys, of `heads` = (query heads, key heads)."""
    keys = 70
    q, k, v = _qkv(dtype, heads, 1, keys, dim)
    out = empty_output((heads[0], 1, dim), dtype, None)
    buffers = {
        **{index: _in(array) for index, array in enumerate((q, k, v))},
        3: Buffer(out, output=True),
        4: _int(heads[0] // heads[1]),
        5: _int(keys),
        6: _long(keys * dim),
        7: _long(dim),
        8: _long(keys * dim),
        9: _long(dim),
        10: Buffer(np.array([dim**-0.5], np.float32)),
    }
    sdpa_vector_kernel(dtype, dim).launch(host, buffers, (heads[0], 1, 1), (1024, 1, 1), source)
    return from_numpy(out, dtype), _attention(q, k, v, causal=False)


def affine_qmv_fast_kernel(dtype: mx.Dtype) -> ShippedKernel:
    before = ("steel/gemm/gemm.h", "quantized_utils.h")
    return ShippedKernel("quantized.h", "affine_qmv_fast", f"{NAMES[dtype]}, 64, 4, false", before=before)


def affine_qmv_fast(host: MetalHost, dtype: mx.Dtype, rows: int = 16, source: str | None = None) -> Result:
    """A 4-bit matrix of 1024 columns, in groups of 64, times a vector."""
    columns = 1024
    keys = mx.random.split(mx.random.key(1), 2)
    x = mx.random.normal((columns,), key=keys[0]).astype(dtype)
    matrix = (mx.random.normal((rows, columns), key=keys[1]) * 0.05).astype(dtype)
    packed, scales, biases = mx.quantize(matrix, group_size=64, bits=4)
    out = empty_output((rows,), dtype, None)
    inputs = {index: _in(array) for index, array in enumerate((packed, scales, biases, x))}
    buffers = {**inputs, 4: Buffer(out, output=True), 5: _int(columns), 6: _int(rows)}
    affine_qmv_fast_kernel(dtype).launch(host, buffers, (1, rows // 8, 1), (32, 2, 1), source)

    integers = np.array(packed)[:, :, None] >> np.arange(0, 32, 4) & 15
    groups = integers.reshape(rows, -1, 64) * as_double(scales)[:, :, None] + as_double(biases)[:, :, None]
    return from_numpy(out, dtype), groups.reshape(rows, columns) @ as_double(x)


def steel_attention_kernel(
    dtype: mx.Dtype,
    dim: int = 64,
    key_block: int = 32,
    split: int = 1,
    causal: bool = False,
    aligned: bool = False,
) -> ShippedKernel:
    """`split` simdgroups share the head dimension of one tile of 32 queries."""
    constants = dict.fromkeys(("has_mask", "has_sinks", "save_lse"), 0)
    constants |= {"align_Q": int(aligned), "align_K": int(aligned), "do_causal": int(causal)}
    instance = f"{NAMES[dtype]}, 32, {key_block}, {dim}, {dim}, 4, {split}, bool, float"
    return ShippedKernel("steel/attn/kernels/steel_attention.h", "attention", instance, constants)


def steel_attention(
    host: MetalHost,
    dtype: mx.Dtype,
    heads: tuple[int, int] = (1, 1),
    dim: int = 64,
    key_block: int = 32,
    split: int = 1,
    causal: bool = False,
    length: int = 40,
    source: str | None = None,
) -> Result:
    """Attention of `length` queries over as many keys, of `heads` = (query heads, key heads)."""
    q, k, v = _qkv(dtype, heads, length, length, dim)
    out = empty_output((heads[0], length, dim), dtype, None)
    strides = [
        stride
        for count in (heads[0], heads[1], heads[1], heads[0])
        for stride in (count * length * dim, length * dim, dim)
    ]
    query_blocks, key_blocks = -(-length // 32), -(-length // key_block)
    parameters = struct.pack(
        "<6if7i12q",
        *(1, heads[0], dim, length, length, heads[0] // heads[1], dim**-0.5, query_blocks, key_blocks),
        *(length // 32, length // key_block, length % 32, length % key_block, 0, *strides),
    )
    buffers = {index: _in(array) for index, array in enumerate((q, k, v))}
    buffers[3] = Buffer(out, output=True)
    buffers[4] = Buffer(np.frombuffer(parameters, np.uint8).copy())
    kernel = steel_attention_kernel(dtype, dim, key_block, split, causal)
    kernel.launch(host, buffers, (query_blocks, heads[0], 1), (32, 4, split), source)
    return from_numpy(out, dtype), _attention(q, k, v, causal)


def _qkv(
    dtype: mx.Dtype, heads: tuple[int, int], queries: int, keys: int, dim: int
) -> tuple[mx.array, mx.array, mx.array]:
    random = mx.random.split(mx.random.key(2), 3)
    shapes = ((heads[0], queries, dim), (heads[1], keys, dim), (heads[1], keys, dim))
    q, k, v = (
        mx.random.normal(shape, key=key).astype(dtype) for shape, key in zip(shapes, random, strict=True)
    )
    return q, k, v


def _attention(q: mx.array, k: mx.array, v: mx.array, causal: bool) -> np.ndarray:
    """softmax(q kᵀ / √dim) v for (heads, length, dim), in double precision."""
    group = q.shape[0] // k.shape[0]
    keys, values = (np.repeat(as_double(array), group, axis=0) for array in (k, v))
    scores = as_double(q) @ keys.transpose(0, 2, 1) * q.shape[-1] ** -0.5
    if causal:
        scores += np.triu(np.full(scores.shape[1:], -np.inf), 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ values


def _in(array: mx.array) -> Buffer:
    return Buffer(np.ascontiguousarray(to_numpy(array)))


def _int(value: int) -> Buffer:
    return Buffer(np.array([value], np.int32))


def _long(value: int) -> Buffer:
    return Buffer(np.array([value], np.int64))
