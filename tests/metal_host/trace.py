"""The source MLX generates for a custom kernel, obtained from MLX itself.

`mx.fast.metal_kernel` needs no Metal to be constructed, only to run. `mx.export_function` records
a call without running it, and tells its callback everything about the recorded primitive, the generated
source included. The order of those arguments is no public interface: `_read` checks what it gets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import mlx.core as mx

from .errors import MetalHostError


@dataclass(frozen=True)
class Trace:
    """One call of a custom kernel. Sizes are in threads.

    `metadata` says for each input whether the kernel also takes its shape, strides and ndim.
    """

    name: str
    source: str
    grid: tuple[int, int, int]
    threadgroup: tuple[int, int, int]
    metadata: tuple[tuple[bool, bool, bool], ...]
    row_contiguous: bool


def trace(call: Callable[..., Any], inputs: Sequence[mx.array]) -> Trace:
    """What MLX makes of `call(*inputs)`, which calls one custom kernel."""
    found: list[list[Any]] = []

    def record(event: dict[str, Any]) -> None:
        if event["type"] == "primitive" and event["name"] == "CustomKernel":
            found.append(event["arguments"])

    mx.export_function(record, call, *inputs)
    if len(found) != 1:
        raise MetalHostError(f"expected one custom kernel in the call, found {len(found)}")
    return _read(found[0])


def _read(arguments: list[Any]) -> Trace:
    name, source, *sizes, metadata, row_contiguous = arguments[:10]
    known = isinstance(name, str) and isinstance(source, str) and isinstance(row_contiguous, bool)
    if not (known and len(sizes) == 6 and all(isinstance(size, int) for size in sizes)):
        raise MetalHostError(f"MLX {version('mlx')} records custom kernels in a way that is not known here")
    flags = tuple((bool(shape), bool(strides), bool(ndim)) for shape, strides, ndim in metadata)
    grid, threadgroup = (sizes[0], sizes[1], sizes[2]), (sizes[3], sizes[4], sizes[5])
    return Trace(name, source, grid, threadgroup, flags, row_contiguous)
