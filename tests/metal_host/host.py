"""`MetalHost.metal_kernel` has the signature of `mx.fast.metal_kernel`, and its kernels run on the CPU."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import numpy as np

from .arrays import empty_output, from_numpy, to_numpy
from .launch import Buffer, Counts, Order, Size, Way, launch
from .toolchain import Check, Toolchain
from .trace import Trace, trace
from .translate import generated_unit

#: MLX's own, also while a host stands in its place.
_METAL_KERNEL = mx.fast.metal_kernel


@dataclass(frozen=True)
class Launched:
    """One launch that was done. Sizes are in threads."""

    name: str
    size: Size
    counts: Counts


@dataclass(frozen=True)
class MetalHost:
    """A CPU that runs Metal kernels, and the way it does.

    `seed` makes the random order; a launch may take `timeout` seconds. `dataclasses.replace` makes a
    host that differs.
    """

    toolchain: Toolchain
    order: Order = "forward"
    seed: int = 1
    check: Check = "values"
    timeout: float = 120.0
    on_launch: Callable[[Launched], None] | None = field(default=None, compare=False)

    def metal_kernel(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str = "",
        ensure_row_contiguous: bool = True,
        atomic_outputs: bool = False,
        compile_options: Mapping[str, str] | None = None,
    ) -> "HostKernel":
        """What `mx.fast.metal_kernel` does, on the CPU. `compile_options` change nothing here."""
        real = _METAL_KERNEL(
            name=name,
            input_names=input_names,
            output_names=output_names,
            source=source,
            header=header,
            ensure_row_contiguous=ensure_row_contiguous,
            atomic_outputs=atomic_outputs,
            compile_options=compile_options,
        )
        return HostKernel(self, name, real)

    def launch(self, name: str, unit: str, buffers: Sequence[Buffer | None], size: Size) -> Counts:
        """Compiles the translation unit and launches its kernel. Raises `MetalHostError`."""
        library = self.toolchain.library(unit, self.check)
        way = Way(self.order, self.seed, self.check, self.timeout)
        counts = launch(self.toolchain, library, buffers, size, way)
        if self.on_launch:
            self.on_launch(Launched(name, size, counts))
        return counts


@dataclass(frozen=True)
class HostKernel:
    """A custom kernel, called as MLX's are."""

    host: MetalHost
    name: str
    real: Any

    def __call__(
        self,
        *,
        inputs: Sequence[Any],
        output_shapes: Sequence[Sequence[int]],
        output_dtypes: Sequence[mx.Dtype],
        init_value: float | None = None,
        verbose: bool = False,
        **call: Any,
    ) -> list[mx.array]:
        """Runs the kernel now. The arguments are those of MLX's kernels. Raises `MetalHostError`.

        Outputs without `init_value` are filled with NaN, or -1 for integers, before the kernel runs.
        """
        arrays = [value if isinstance(value, mx.array) else mx.array(value) for value in inputs]
        shapes_and_dtypes = list(zip(output_shapes, output_dtypes, strict=True))
        traced = self.trace(inputs=arrays, output_shapes=output_shapes, output_dtypes=output_dtypes, **call)
        if verbose:
            print(traced.source)
        outputs = [empty_output(shape, dtype, init_value) for shape, dtype in shapes_and_dtypes]
        buffers = [*_input_buffers(traced, arrays), *(Buffer(output, output=True) for output in outputs)]
        unit = generated_unit(traced.name, traced.source, self.name)
        self.host.launch(self.name, unit, buffers, Size(traced.grid, traced.threadgroup))
        return [
            from_numpy(output, dtype) for output, (_, dtype) in zip(outputs, shapes_and_dtypes, strict=True)
        ]

    def trace(self, *, inputs: Sequence[Any], **call: Any) -> Trace:
        """What MLX generates for a call with these arguments, without running it."""
        arrays = [value if isinstance(value, mx.array) else mx.array(value) for value in inputs]
        return trace(lambda *traced: self.real(inputs=list(traced), **call), arrays)


def _input_buffers(traced: Trace, arrays: Sequence[mx.array]) -> list[Buffer]:
    """Every input, followed by the shape, strides and ndim that the kernel takes of it."""
    buffers: list[np.ndarray] = []
    for array, asked in zip(arrays, traced.metadata, strict=True):
        shape, strides, ndim = asked if array.ndim else (False, False, False)  # a scalar has none
        values = to_numpy(array)
        if traced.row_contiguous:
            values = np.ascontiguousarray(values)
        buffers.append(values)
        if shape:
            buffers.append(np.array(values.shape, np.int32))
        if strides:
            buffers.append(np.array(values.strides, np.int64) // values.itemsize)
        if ndim:
            buffers.append(np.array([values.ndim], np.int32))
    return [Buffer(values) for values in buffers]
