"""One Metal kernel: its source, built on first use, and what happens where it cannot be built."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx

#: Value of a template parameter: a type, a number or a switch.
Parameter = mx.Dtype | int | bool

Size = tuple[int, int, int]

#: Variants of kernels that this device refused, by the kernel's name.
_REFUSED: dict[str, set[tuple[Any, ...]]] = {}

#: What it said then: without Metal it says the same of every kernel.
_REASONS: set[str] = set()

#: In MLX's error where arrays have no values yet.
_TRANSFORMING = "during function transformations"


@dataclass(frozen=True)
class Launch:
    """One launch: the inputs in the kernel's order, and sizes in threads."""

    inputs: Sequence[mx.array | float | int]
    template: Sequence[tuple[str, Parameter]]
    grid: Size
    threadgroup: Size
    shapes: Sequence[Sequence[int]]
    dtypes: Sequence[mx.Dtype]


@dataclass(frozen=True)
class Kernel:
    """What `mx.fast.metal_kernel` takes. Inputs may have any strides; the body reads them."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    source: str
    header: str = ""
    _built: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    _proven: set[Any] = field(default_factory=set, compare=False, repr=False)

    def __call__(self, launch: Launch) -> list[mx.array] | None:
        """The outputs, or None where Metal refuses the kernel, which is said once on stderr.

        A variant is compiled when it is first evaluated, so the first launch of each is awaited. Inside
        a transformation of MLX's (`mx.compile`) nothing can be, so that only what has run before runs there.
        """
        variant = (*launch.template, launch.threadgroup, *(_dtype(value) for value in launch.inputs))
        if variant in _REFUSED.get(self.name, ()):
            return None
        try:
            outputs = self._run(launch)
            if variant not in self._proven:
                mx.eval(outputs)
                self._proven.add(variant)
        except (RuntimeError, ValueError) as error:  # a ValueError says that too many threads were asked for
            if _TRANSFORMING not in str(error):
                self._refuse(variant, str(error).strip())
            return None
        return outputs

    def _refuse(self, variant: tuple[Any, ...], reason: str) -> None:
        """Never tries this variant again; says so once for a kernel, and once for a reason."""
        if self.name not in _REFUSED and reason not in _REASONS:
            lines = reason.splitlines() or ["no reason given"]
            cause = next((line for line in lines if "error:" in line), lines[0])
            message = f"qwen2-mlx: kernel {self.name} does not run here ({cause}); going on without"
            print(message, file=sys.stderr)
        _REASONS.add(reason)
        _REFUSED.setdefault(self.name, set()).add(variant)

    def _run(self, launch: Launch) -> list[mx.array]:
        make = mx.fast.metal_kernel
        if make not in self._built:
            self._built[make] = make(
                name=self.name,
                input_names=list(self.inputs),
                output_names=list(self.outputs),
                source=self.source,
                header=self.header,
                ensure_row_contiguous=False,
            )
        return self._built[make](
            inputs=list(launch.inputs),
            template=list(launch.template),
            grid=launch.grid,
            threadgroup=launch.threadgroup,
            output_shapes=[tuple(shape) for shape in launch.shapes],
            output_dtypes=list(launch.dtypes),
        )


def _dtype(value: mx.array | float | int) -> Any:
    return value.dtype if isinstance(value, mx.array) else type(value)
