"""How far the stored weights are from those of their source, row by row.

What stays in floating point must be the source's numbers rounded to its type, and codes that
a source had must be the same codes. For matrices that were quantised here the yardstick is plain
rounding: the same rows, rounded by MLX in the same format. Rounding to fewer bits costs both
alike, whatever the weights look like, so a matrix that is much farther from its source than
that is not what it should be: other rows, other groups, another layer.

GPTQ moves weights on purpose, by a few times the error of plain rounding. AWQ multiplies channels
of the decoder layers by powers of two, which are found first (see `scaled`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import mlx.core as mx
import numpy as np

from convert.folder.checks.finding import Finding
from convert.folder.checks.scaled import same_digits, scaled_like, within_matrices
from convert.folder.checks.values import PIECE, pieces
from convert.folder.layout import FLOATS, StoredWeight
from convert.source import Source
from convert.weights import CodedWeight, FloatWeight, Weight
from quant.encode import decode, encode
from quant.format import Format
from quant.packing import unpack
from qwen2_mlx.loading import DTYPES

#: Elements of a matrix that are compared. Of a larger one, evenly spaced blocks of rows are.
SAMPLE = 2**22
_BLOCKS = 16

#: Times the error of plain rounding that a method may make. GPTQ's is a guess at the worst
#: that its compensation does; a wrong matrix makes an error larger than itself.
_ALLOWED = {"gptq": 4.0, "awq": 2.0}
_ALLOWED_ELSE = 1.25

#: Of the float32 in which all this is computed.
_ROUNDING = 1e-6

_COUNTED = {"weight": "integer codes", "scales": "scales", "biases": "biases"}


@dataclass(frozen=True)
class Deviation:
    """A matrix against its source: `error` as a share of the source's size (root mean squares).

    `plain` is the same for plain rounding to the same format or type, 0 for codes that were
    kept; `rows` of `row_count` were compared.
    """

    name: str
    error: float
    plain: float
    rows: int
    row_count: int


def compared_ranges(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Rows of a matrix (first, last exclusive) that are compared: all, or evenly spaced blocks."""
    count, width = prod(shape[:-1]), shape[-1]
    if count * width <= SAMPLE:
        step = max(1, PIECE // width)
        return [(start, min(start + step, count)) for start in range(0, count, step)]
    rows = max(1, SAMPLE // (width * _BLOCKS))
    starts = np.linspace(0, count - rows, _BLOCKS).astype(int)
    return [(int(start), int(start) + rows) for start in dict.fromkeys(starts)]


def compare(weight: StoredWeight, source: Weight, method: str) -> tuple[Deviation, list[Finding]]:
    """`weight` against the parameter of the same name and shape in its source."""
    if isinstance(source, CodedWeight) and source.format == weight.format:
        return _compare_codes(weight, source)
    scaled = method == "awq" and weight.name.startswith("model.layers.")
    sums = np.zeros(3)
    compared, wrong = 0, 0
    for start, stop in within_matrices(compared_ranges(weight.shape), prod(weight.shape[-2:-1])):
        stored, original = weight.decoded(start, stop), _numbers(weight, source, start, stop)
        if scaled and weight.format:
            original = scaled_like(stored, original)
        wanted = original.astype(DTYPES[_type_of(weight)])
        compared += stop - start
        if weight.format is None:
            same = same_digits(stored, wanted) if scaled else _same(stored, wanted)
            wrong += int((~same).sum())
            if scaled:
                original = wanted = mx.where(same, stored, wanted)
        sums += _squares(weight, original, wanted, stored)
    size = sqrt(sums[2]) or 1.0
    deviation = Deviation(weight.name, sqrt(sums[0]) / size, sqrt(sums[1]) / size, compared, weight.row_count)
    return deviation, list(_judge(weight, deviation, wrong, method))


def check_orders(weights: list[StoredWeight], permutations: Mapping[str, Any]) -> Iterator[Finding]:
    """The order in which a matrix takes its inputs must be that of its source."""
    for weight in weights:
        wanted = permutations.get(weight.path)
        if wanted is None and weight.perm is None:
            continue
        if wanted is None or weight.perm is None:
            yield Finding(weight.name, "takes its inputs in another order than its source")
        elif not np.array_equal(np.array(weight.perm.rows(0, 1)[0]), np.asarray(wanted)):
            yield Finding(weight.perm.name, "is not the order of the source")


def check_names(weights: list[StoredWeight], source: Source) -> Iterator[Finding]:
    """Source and folder must have the same parameters."""
    shapes = {weight.name: weight.shape for weight in source.weights}
    for weight in weights:
        if weight.name not in shapes:
            yield Finding(weight.name, "is no parameter of the source")
        elif shapes[weight.name] != weight.shape:
            yield Finding(weight.name, f"has shape {list(weight.shape)}, in the source {shapes[weight.name]}")


def _judge(weight: StoredWeight, deviation: Deviation, wrong: int, method: str) -> Iterator[Finding]:
    if weight.format is None:
        if wrong:
            yield Finding(weight.name, f"differs from its source in {wrong:,} values, though not quantised")
        return
    allowed = deviation.plain * _ALLOWED.get(method, _ALLOWED_ELSE) + _ROUNDING
    if not deviation.error <= min(allowed, max(0.95, deviation.plain)):  # also when it is no number
        yield Finding(
            weight.name,
            f"is {deviation.error:.1%} away from its source, rounding alone would be {deviation.plain:.1%}",
        )


def _compare_codes(weight: StoredWeight, source: CodedWeight) -> tuple[Deviation, list[Finding]]:
    """All codes must be the source's, scales and biases the source's in their type."""
    sums, wrong = np.zeros(3), {"weight": 0, "scales": 0, "biases": 0}
    for start, stop in pieces(weight):
        original, stored = source.rows(start, stop), weight.stored_rows(start, stop)
        codes = unpack(stored["weight"], source.format.bits)
        wrong["weight"] += int((codes != original.codes).sum())
        for kind in ("scales", "biases"):
            wanted = getattr(original, kind).astype(stored[kind].dtype)
            wrong[kind] += int((~_same(stored[kind], wanted)).sum())
        exact = _scaled(original.codes, original.scales, original.biases)
        sums += _errors(decode(stored, source.format), exact, exact)
    names = {kind: weight.parts[kind].name for kind in wrong}
    findings = [
        Finding(names[kind], f"differs from its source in {count:,} {_COUNTED[kind]}")
        for kind, count in wrong.items()
        if count
    ]
    rows = weight.row_count
    return Deviation(weight.name, sqrt(sums[0] / (sums[2] or 1.0)), 0.0, rows, rows), findings


def _numbers(weight: StoredWeight, source: Weight, start: int, stop: int) -> mx.array:
    """Rows of the source as numbers, columns in the model's order."""
    if isinstance(source, FloatWeight):
        return source.rows(start, stop)
    found = source.rows(start, stop)
    rows = _scaled(found.codes, found.scales, found.biases)
    return rows if weight.perm is None else rows[:, mx.argsort(weight.perm.rows(0, 1)[0])]


def _scaled(codes: mx.array, scales: mx.array, biases: mx.array) -> mx.array:
    """Codes (rows, in) with scales and biases (rows, groups) as numbers, float32 (rows, in)."""
    grouped = codes.reshape(*scales.shape, -1).astype(mx.float32)
    return (grouped * scales[..., None] + biases[..., None]).reshape(codes.shape)


def _squares(weight: StoredWeight, original: mx.array, wanted: mx.array, stored: mx.array) -> np.ndarray:
    """Sums of squares: the error, that of plain rounding, and the source itself."""
    plain = wanted if weight.format is None else _plainly_rounded(weight, wanted, weight.format)
    return _errors(stored, plain, original)


def _plainly_rounded(weight: StoredWeight, rows: mx.array, format: Format) -> mx.array:
    if weight.perm is None:
        return decode(encode(rows, format, "round"), format)
    order = weight.perm.rows(0, 1)[0]
    return decode(encode(rows[:, order], format, "round"), format)[:, mx.argsort(order)]


def _errors(stored: mx.array, plain: mx.array, original: mx.array) -> np.ndarray:
    exact = original.astype(mx.float32)
    errors = (stored.astype(mx.float32) - exact, plain.astype(mx.float32) - exact, exact)
    sums = [error.square().sum() for error in errors]
    mx.eval(sums)
    return np.array([float(total) for total in sums])


def _type_of(weight: StoredWeight) -> str:
    """The type that the numbers had when they were quantised: that of the scales, where they have one."""
    parts = weight.parts
    kind = "scales" if weight.format and weight.format.mode == "affine" else "weight"
    return FLOATS.get(parts[kind].dtype, "float32")


def _same(one: mx.array, other: mx.array) -> mx.array:
    """Where two arrays hold the same number; NaN is NaN."""
    return (one == other) | ((one != one) & (other != other))
