"""What a conversion would write, as a table, and the memory that running the result takes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from app import cli

if TYPE_CHECKING:
    from convert.plan import Plan

#: Tokens for which memory is calculated, as far as the model goes.
CONTEXTS = (4096, 16384, 32768, 131072)

_COLUMNS = ("parameters", "shape", "stored as", "size")
_PARTS = ("weight", "scales", "biases")
_LAYER = re.compile(r"(?<=^model\.layers\.)\d+")


def show(plan: "Plan") -> None:
    """Prints the plan to stdout."""
    for line in (*_table(plan), "", *_files(plan), *_totals(plan), *_memory(plan)):
        print(cli.clean(line))


def _table(plan: "Plan") -> Iterator[str]:
    """A line for parameters that differ in nothing but their layer."""
    groups: dict[tuple[str, str, str], tuple[list[int], int]] = {}
    for path, shape, stored, size in _rows(plan):
        layer = _LAYER.search(path)
        key = (_LAYER.sub("{}", path), shape, stored)
        layers, held = groups.get(key, ([], 0))
        groups[key] = ([*layers, int(layer[0])] if layer else layers, held + size)
    lines: list[tuple[str, ...]] = [_COLUMNS]
    for (path, shape, stored), (layers, size) in groups.items():
        lines.append((path.format(_ranges(layers)), shape, stored, _size(size)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        name, *cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join((name, *cells)).rstrip()


def _rows(plan: "Plan") -> Iterator[tuple[str, str, str, int]]:
    """Path, shape, kind and bytes of each parameter, the parts of a quantised one taken together."""
    for name, (dtype, shape) in plan.outputs.items():
        path, _, part = name.rpartition(".")
        format = plan.formats.get(path)
        if format is None or part not in _PARTS:
            yield name, _shape(shape), dtype, plan.places[name].nbytes
        elif part == "weight":
            places = (plan.places.get(f"{path}.{kind}") for kind in _PARTS)
            size = sum(place.nbytes for place in places if place)
            codes = f"{format.bits} bits" if format.mode == "affine" else format.mode
            width = shape[-1] * 32 // format.bits
            yield name, _shape((*shape[:-1], width)), f"{codes}, groups of {format.group_size}", size


def _files(plan: "Plan") -> Iterator[str]:
    sizes = plan.file_bytes()
    if len(sizes) > 1:
        for file, size in sizes.items():
            yield f"{file}  {_size(size)}"


def _totals(plan: "Plan") -> Iterator[str]:
    files = len(plan.headers)
    yield (
        f"{plan.parameters:,} parameters, {_size(plan.weight_bytes)} in {files} file{'s' * (files > 1)},"
        f" {plan.bits_per_weight:.2f} bits a weight"
    )


def _memory(plan: "Plan") -> Iterator[str]:
    """Memory on a Mac's GPU, which computes in the type of the weights."""
    from dataclasses import replace

    from qwen2_mlx.memory.plan import metal, predict

    compute = replace(metal(), itemsize=4 if plan.dtype == "float32" else 2)
    reach = plan.config.context_length
    for context in [n for n in CONTEXTS if n <= reach] or [reach]:
        needed = predict(plan.config, compute, plan.weight_bytes, context, None)
        yield f"to run it with {context:,} tokens: {_size(needed.total)} as calculated for a Mac"


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 as `1-3,7`, in braces where there are several."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ",".join(f"{low}-{high}" if high > low else f"{low}" for low, high in runs)
    return f"{{{text}}}" if len(numbers) > 1 else text


def _shape(shape: Iterable[int]) -> str:
    return " x ".join(f"{size:,}" for size in shape)


def _size(size: int) -> str:
    from qwen2_mlx.memory.limit import size_text

    return size_text(size)
