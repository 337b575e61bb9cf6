"""Rows of a matrix in one of MLX's quantised formats, and back."""

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import numpy as np

from quant.fit import Fitter
from quant.format import Format
from quant.packing import pack_bytes
from qwen2_mlx.errors import Qwen2Error

#: Weights that a thread fits at a time: large enough that a call to NumPy is cheap beside its
#: work, small enough for the processor's cache.
_PIECE = 1 << 18
_MOST_THREADS = 8

#: The largest scale of nvfp4, which has no exponent to spare, times its largest code.
_LARGEST_NVFP4 = 448 * 6

#: The bits of a number's exponent, all ones only in infinity and NaN, as unsigned integers see them.
_EXPONENTS = {
    mx.float32: (mx.uint32, 0x7F800000),
    mx.float16: (mx.uint16, 0x7C00),
    mx.bfloat16: (mx.uint16, 0x7F80),
}


def encode(
    rows: mx.array, format: Format, method: str = "fit", name: str = "the matrix"
) -> dict[str, mx.array]:
    """Rows (n, in) of float32, float16 or bfloat16 as `weight`, `scales` and, in affine mode, `biases`.

    `round` gives what `mx.quantize` gives, bit for bit; `fit` looks for codes, scales and
    biases that come nearer to the rows (see `quant.fit`). The floating-point modes leave no
    choice and are MLX's either way. Each row is encoded by itself: the result is the same
    wherever a matrix is cut. Raises a `Qwen2Error` with `name` for rows that hold NaN or infinity.
    """
    if not all_finite(rows):
        raise Qwen2Error(f"{name} holds NaN or infinity; its file is damaged, download or copy it again")
    if format.mode != "affine":
        if format.mode == "nvfp4" and float(mx.abs(rows).max()) > _LARGEST_NVFP4:
            raise Qwen2Error(f"{name} holds weights too large for nvfp4; choose another method")
        parts = mx.quantize(rows, format.group_size, format.bits, mode=format.mode)
        return {"weight": parts[0], "scales": parts[1]}
    if method == "round":
        weight, scales, biases = mx.quantize(rows, format.group_size, format.bits)
    else:
        weight, scales, biases = _fitted(rows, format)
    if not (all_finite(scales) and all_finite(biases)):
        raise Qwen2Error(f"{name} holds weights too large to quantise; leave it in floating point")
    return {"weight": weight, "scales": scales, "biases": biases}


def decode(parts: Mapping[str, mx.array], format: Format) -> mx.array:
    """The matrix (..., out, in) that `parts` stand for, in float32 and without further rounding."""
    scales, biases = parts["scales"], parts.get("biases")
    if biases is not None:
        scales, biases = scales.astype(mx.float32), biases.astype(mx.float32)
    return mx.dequantize(
        parts["weight"], scales, biases, format.group_size, format.bits, format.mode, dtype=mx.float32
    )


def all_finite(values: mx.array) -> bool:
    """Whether floating-point values hold neither NaN nor infinity; ten times as fast as `mx.isfinite`."""
    integer, exponent = _EXPONENTS[values.dtype]
    return bool(((values.view(integer) & exponent).max() < exponent).item())


def _fitted(rows: mx.array, format: Format) -> tuple[mx.array, mx.array, mx.array]:
    count, width = rows.shape
    groups = width // format.group_size
    weight = np.empty((count, width * format.bits // 32), np.uint32)
    scales, biases = np.empty((2, count, groups), np.float32)
    dtype = str(rows.dtype).removeprefix("mlx.core.")
    read = _reader(rows, dtype)
    step = max(1, _PIECE // width)
    own = threading.local()

    def work(start: int) -> None:
        if not hasattr(own, "fit"):
            own.fit = Fitter(format.group_size, format.bits, dtype, step * groups)
        piece = slice(start, start + step)
        values = read(piece)
        codes, scale, bias = own.fit(values.reshape(-1, format.group_size))
        weight[piece] = pack_bytes(codes.reshape(values.shape), format.bits)
        scales[piece], biases[piece] = scale.reshape(-1, groups), bias.reshape(-1, groups)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as threads:
        list(threads.map(work, range(0, count, step)))
    return mx.array(weight), mx.array(scales).astype(rows.dtype), mx.array(biases).astype(rows.dtype)


def _reader(rows: mx.array, dtype: str) -> Callable[[slice], np.ndarray]:
    """A function from a slice of rows to their values in float32, for threads: it does not call MLX."""
    if dtype == "bfloat16":  # the upper half of a float32, a type NumPy lacks
        halves = np.array(rows.view(mx.uint16), copy=False)
        return lambda piece: (halves[piece].astype(np.uint32) << 16).view(np.float32)
    values = np.array(rows, copy=False)
    return lambda piece: values[piece].astype(np.float32, copy=False)
