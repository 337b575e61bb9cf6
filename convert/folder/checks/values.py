"""Whether the stored numbers are numbers, read piece by piece."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mlx.core as mx

from convert.codes_hash import written_hash
from convert.folder.checks.finding import Finding
from convert.folder.layout import StoredWeight
from convert.safetensors_file import SPELLED

#: Elements of a matrix that are in memory at a time.
PIECE = 2**21

_LARGEST = {SPELLED["float16"]: 65504.0}


@dataclass
class Values:
    """What one parameter holds: `bad` numbers that are none, `beyond` its type's range once scaled.

    `groups` counts scales, `zero_groups` those that are 0, so that all weights of their group are alike.
    """

    bad: int = 0
    beyond: int = 0
    groups: int = 0
    zero_groups: int = 0


def pieces(weight: StoredWeight) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of pieces of about `PIECE` elements."""
    step = max(1, PIECE // weight.shape[-1])
    for start in range(0, weight.row_count, step):
        yield start, min(start + step, weight.row_count)


def read_values(weight: StoredWeight, on_bytes: Callable[[int], None]) -> Values:
    """Looks at every stored number of `weight`, of codes only where a code can be no number."""
    found = Values()
    for start, stop in pieces(weight):
        parts = weight.stored_rows(start, stop)
        _look(weight, parts, found)
        on_bytes(sum(part.nbytes for part in parts.values()))
    return found


def check_values(weight: StoredWeight, found: Values) -> Iterator[Finding]:
    """Findings about what `read_values` saw, and about the order of the columns."""
    if found.bad:
        yield Finding(weight.name, f"holds {found.bad:,} values that are NaN or infinite")
    if found.beyond:
        yield Finding(
            weight.name, f"has {found.beyond:,} groups that reach beyond the range of their scales' type"
        )
    if weight.perm is not None:
        order = mx.sort(weight.perm.rows(0, 1)[0])
        if not mx.array_equal(order, mx.arange(weight.shape[-1])):
            yield Finding(weight.perm.name, "does not name each input once")


def check_codes(weight: StoredWeight, wanted: str | None) -> Iterator[Finding]:
    """The integer codes must have the hash that they had when they were written, if it is known."""
    if wanted is not None and weight.format and codes_of(weight) != wanted:
        yield Finding(weight.name, "holds other integer codes than the manifest says")


def codes_of(weight: StoredWeight) -> str:
    """The hash of a quantised matrix's integer codes, the same in every packing."""
    assert weight.format
    return written_hash(weight.parts["weight"], weight.format.bits)


def _look(weight: StoredWeight, parts: dict[str, mx.array], found: Values) -> None:
    format = weight.format
    if format is None:
        found.bad += _count(~mx.isfinite(parts["weight"]))
        return
    scales = parts["scales"]
    found.groups += scales.size
    if format.mode == "affine":
        biases = parts["biases"]
        found.bad += _count(~mx.isfinite(scales)) + _count(~mx.isfinite(biases))
        found.zero_groups += _count(scales == 0)
        if largest := _LARGEST.get(weight.parts["scales"].dtype):
            ends = biases.astype(mx.float32) + scales.astype(mx.float32) * (2**format.bits - 1)
            found.beyond += _count(mx.isfinite(ends) & (mx.abs(ends) > largest))
    elif format.mode == "nvfp4":  # scales are E4M3
        found.bad += _count(scales & 0x7F == 0x7F)
        found.zero_groups += _count(scales & 0x7F == 0)
    else:  # scales are E8M0, which has no zero
        found.bad += _count(scales == 0xFF)
    if format.mode == "mxfp8":  # codes are E4M3
        found.bad += _count(parts["weight"].view(mx.uint8) & 0x7F == 0x7F)


def _count(where: mx.array) -> int:
    return int(where.sum())
