"""What is written, recorded and taken up again as one piece.

Most units are one parameter, read, encoded and written by rows, so that their memory does
not grow with the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import mlx.core as mx
import numpy as np

from convert.weights import CodedWeight, FloatWeight
from quant.encode import encode
from quant.format import Format
from quant.packing import pack
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import DTYPES

#: Bytes of a source in floating point that are read at a time. More is no faster and takes more memory.
CHUNK_BYTES = 4 * 2**20

#: Tensor names with MLX's name of their type and their shape, in the order of the file.
Outputs = dict[str, tuple[str, tuple[int, ...]]]

_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint32": 4, "uint8": 1, "int32": 4}


class Unit(Protocol):
    """Some tensors of the result.

    `produce` gives their bytes piece by piece; the pieces of one tensor come in order. It may be
    called again, and gives the same bytes then.
    """

    @property
    def name(self) -> str: ...
    @property
    def outputs(self) -> Outputs: ...

    def produce(self) -> Iterator[tuple[str, memoryview]]: ...


@dataclass(frozen=True)
class FloatRows:
    """A parameter that stays in floating point, as `dtype`."""

    weight: FloatWeight
    dtype: str

    @property
    def name(self) -> str:
        return self.weight.name

    @property
    def outputs(self) -> Outputs:
        return {self.name: (self.dtype, self.weight.shape)}

    def produce(self) -> Iterator[tuple[str, memoryview]]:
        for rows in _float_rows(self.weight, self.dtype):
            yield self.name, bytes_of(rows)


@dataclass(frozen=True)
class QuantizedRows:
    """A matrix in floating point that is quantised by `method`, `round` or `fit`."""

    weight: FloatWeight
    dtype: str
    format: Format
    method: str

    @property
    def name(self) -> str:
        return self.weight.name

    @property
    def outputs(self) -> Outputs:
        return _parts(self.name, self.format, self.weight.shape, self.dtype)

    def produce(self) -> Iterator[tuple[str, memoryview]]:
        names = list(self.outputs)
        for rows in _float_rows(self.weight, self.dtype):
            parts = encode(rows, self.format, self.method, self.name)
            mx.eval(*parts.values())
            for name in names:
                yield name, bytes_of(parts[name.rpartition(".")[2]])


@dataclass(frozen=True)
class CodedRows:
    """A matrix whose codes are kept as its source has them."""

    weight: CodedWeight

    @property
    def name(self) -> str:
        return self.weight.name

    @property
    def outputs(self) -> Outputs:
        return _parts(self.name, self.weight.format, self.weight.shape, self.weight.dtype)

    def produce(self) -> Iterator[tuple[str, memoryview]]:
        weight, scales, biases = self.outputs
        dtype = DTYPES[self.weight.dtype]
        for start, stop in row_ranges(self.weight.shape, 2):
            found = self.weight.rows(start, stop)
            yield weight, bytes_of(pack(found.codes, self.weight.format.bits))
            yield scales, bytes_of(found.scales.astype(dtype))
            yield biases, bytes_of(found.biases.astype(dtype))


@dataclass(frozen=True)
class Vector:
    """Whole numbers beside the parameters: the order in which a module takes its inputs, int32."""

    name: str
    values: Any

    @property
    def outputs(self) -> Outputs:
        return {self.name: ("int32", tuple(np.shape(self.values)))}

    def produce(self) -> Iterator[tuple[str, memoryview]]:
        yield self.name, _raw(np.asarray(self.values, np.int32))


def output_bytes(output: tuple[str, tuple[int, ...]]) -> int:
    """The size of a tensor, given its type and shape."""
    dtype, shape = output
    return prod(shape) * _ITEM_BYTES[dtype]


def row_ranges(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of pieces of about `CHUNK_BYTES`; a vector is one row."""
    count, width = prod(shape[:-1]), shape[-1]
    step = max(1, CHUNK_BYTES // max(1, width * itemsize))
    for start in range(0, count, step):
        yield start, min(start + step, count)


def whole(weight: FloatWeight, dtype: str) -> mx.array:
    """All of a parameter as `dtype`, in its own shape."""
    return mx.concatenate(list(_float_rows(weight, dtype))).reshape(weight.shape)


def bytes_of(values: mx.array) -> memoryview:
    """The bytes of an array, without a copy where it is contiguous."""
    if values.dtype == mx.bfloat16:
        values = values.view(mx.uint16)
    return _raw(np.array(values, copy=False))


def _raw(values: np.ndarray) -> memoryview:
    contiguous: Any = np.ascontiguousarray(values)
    return memoryview(contiguous).cast("B")


def _float_rows(weight: FloatWeight, dtype: str) -> Iterator[mx.array]:
    """The rows of `weight` as `dtype`, piece by piece."""
    for start, stop in row_ranges(weight.shape, _ITEM_BYTES[weight.dtype]):
        rows = weight.rows(start, stop)
        if dtype == "float16" and weight.dtype != dtype:
            _check_float16(weight.name, rows)
        yield rows.astype(DTYPES[dtype])


def _check_float16(name: str, rows: mx.array) -> None:
    """Raises `Qwen2Error` for values that are infinite in float16."""
    # Not compared with the largest float16: bfloat16, in which it would be done, lacks that number.
    if rows.size and bool(mx.isinf(rows.astype(mx.float16)).any()):
        raise Qwen2Error(
            f"{name} has values beyond the range of float16; use --dtype bfloat16,"
            " or --import-dtype float32 where the source is quantised"
        )


def _parts(name: str, format: Format, shape: tuple[int, ...], dtype: str) -> Outputs:
    path = name.removesuffix(".weight")
    return {f"{path}.{part}": output for part, output in format.parts(shape, dtype).items()}
