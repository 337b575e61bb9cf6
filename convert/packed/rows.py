"""Rows of a parameter, put together from packed layers or stored tensors."""

from collections.abc import Callable, Iterator, Sequence

import mlx.core as mx
import numpy as np

from convert.packed.columns import Held
from convert.packed.module import PackedModule
from convert.weights import Codes
from qwen2_mlx.errors import CheckpointError

_HALF_MAX = 65504.0


def coded_rows(modules: Sequence[PackedModule], dtype: str, held: Held) -> Callable[[int, int], Codes]:
    """Reads rows of the matrix that `modules` of one shape make up, one below the other.

    Raises `CheckpointError` where scales or biases would overflow `dtype`.
    """

    def rows(start: int, stop: int) -> Codes:
        codes, scales, biases = [], [], []
        for module, first, last in _spans(modules, start, stop):
            codes.append(module.codes(first, last, held))
            module_scales, zeros = module.groups(held)
            scales.append(module_scales[first:last])
            biases.append(-(zeros[first:last] * scales[-1]))
            if dtype == "float16" and max(np.abs(scales[-1]).max(), np.abs(biases[-1]).max()) > _HALF_MAX:
                raise CheckpointError(
                    f"{module.path} has scales beyond the range of float16; use --import-dtype float32"
                )
        return Codes(_joined(codes), _joined(scales), _joined(biases))

    return rows


def dequantised_rows(
    modules: Sequence[PackedModule], dtype: mx.Dtype, held: Held
) -> Callable[[int, int], mx.array]:
    """Reads rows of the same matrix as numbers, their columns in the order that the model has them."""

    def rows(start: int, stop: int) -> mx.array:
        found = []
        for module, first, last in _spans(modules, start, stop):
            scales, zeros = (part[first:last][:, module.group_of_columns()] for part in module.groups(held))
            codes = module.stored_codes(first, last, held).astype(np.float32)
            found.append((codes - zeros) * scales)
        return _joined(found).astype(dtype)

    return rows


def _spans(modules: Sequence[PackedModule], start: int, stop: int) -> Iterator[tuple[PackedModule, int, int]]:
    """(module, first row, last row) of each module that has rows from `start` to `stop`."""
    height = modules[0].shape[0]
    while start < stop:
        first = start % height
        last = min(height, first + stop - start)
        yield modules[start // height], first, last
        start += last - first


def _joined(parts: Sequence[np.ndarray]) -> mx.array:
    return mx.array(parts[0] if len(parts) == 1 else np.concatenate(parts))
