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

        A variant is compiled when it is first evaluated, so the first launch of each is awaited.
        """
        variant = (*launch.template, launch.threadgroup, *(_dtype(value) for value in launch.inputs))
        if variant in _REFUSED.get(self.name, ()):
            return None
        try:
            outputs = self._run(launch)
        except RuntimeError as error:
            self._refuse(variant, error)
            return None
        try:
            if variant not in self._proven:
                mx.eval(outputs)
        except RuntimeError as error:
            self._refuse(variant, error)
            return None
        except ValueError:  # inside a transformation of MLX's nothing can be evaluated
            return outputs
        self._proven.add(variant)
        return outputs

    def _refuse(self, variant: tuple[Any, ...], error: RuntimeError) -> None:
        """Never tries this variant again, and says so the first time that any of the kernel's is refused."""
        if self.name not in _REFUSED:
            reason = next(iter(str(error).strip().splitlines()), "no reason given")
            message = f"qwen2-mlx: kernel {self.name} does not run here ({reason}); going on without"
            print(message, file=sys.stderr)
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
