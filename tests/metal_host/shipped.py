"""The kernels MLX ships, from the headers in its wheel, to calibrate this folder against code that is
known to work on GPUs.

Their headers declare threadgroup memory and specialise templates on address spaces, so they cannot be
included as they are: one text is made of all that a kernel includes, and that text is translated.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .headers import join_headers
from .host import MetalHost
from .launch import Buffer, Counts, Size
from .source import Parameter, find_function, parse_parameters, share_declarations
from .translate import entry

# One template specialised for each address space: without those, the same four times.
_SPECIALISATION = re.compile(
    r"template <typename T>\s*struct pointer_element<(?:device|constant|threadgroup) T\*> \{.*?\};", re.DOTALL
)
_PLACED = re.compile(r"\[\[threadgroup\(\d+\)\]\]")


@dataclass(frozen=True)
class ShippedKernel:
    """A kernel of one of MLX's headers.

    `instance` holds the template arguments, `constants` the function constants that it reads, and
    `before` the headers that MLX includes in front of its header.
    """

    header: str
    name: str
    instance: str
    constants: Mapping[str, int] = field(default_factory=dict)
    before: Sequence[str] = ()

    def source(self) -> str:
        """The whole source, without comments, with `#line` directives that name the headers."""
        text = join_headers(("utils.h", *self.before, self.header))
        return _PLACED.sub("", _SPECIALISATION.sub(_blank, text))

    def span(self, source: str) -> tuple[int, int]:
        """Where the kernel's body begins and ends in `source`."""
        function = find_function(source, self.name)
        return function.body_start, function.body_end

    def launch(
        self,
        host: MetalHost,
        buffers: Mapping[int, Buffer],
        threadgroups: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        source: str | None = None,
    ) -> Counts:
        """Runs the kernel on `buffers`, by their index in its signature; those that are left out
        are null, or -1 where the kernel takes a reference.

        `source` is what `source()` returns, or a mutant of it.
        """
        text = share_declarations(source or self.source())
        parameters = list(parse_parameters(find_function(text, self.name).parameters))
        unit = (
            f'{text}\n#line 1 "entry"\n{entry(f"{self.name}<{self.instance}>", parameters, self.constants)}'
        )
        arguments = [
            _argument(parameter, buffers) for parameter in parameters if parameter.buffer is not None
        ]
        grid = tuple(groups * threads for groups, threads in zip(threadgroups, threadgroup, strict=True))
        return host.launch(self.name, unit, arguments, Size((grid[0], grid[1], grid[2]), threadgroup))


def _argument(parameter: Parameter, buffers: Mapping[int, Buffer]) -> Buffer | None:
    assert parameter.buffer is not None
    missing = Buffer(np.full(8, 0xFF, np.uint8)) if parameter.by_reference else None
    return buffers.get(parameter.buffer, missing)


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")
