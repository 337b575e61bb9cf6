"""Perplexity by position as a picture: a line for each mode, on a logarithmic scale."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from app.eval.grid import length_labels
from app.eval.report import svg

_LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM = 64, 66, 620, 300, 52
_LEGEND = 190

#: Told apart by dashes as well, for those who see colours differently. Readable on white and on black.
_LOOKS = (
    ("#F0496E", None), ("#D29922", "6 3"), ("#0CA678", None), ("#4C8DFF", "6 3"),
    ("#A371F7", "2 3"), ("#8C959F", "8 3 2 3"),
)  # fmt: skip

_STEPS = (1, 2, 5)


def line_chart(
    title: str, bounds: Sequence[int], losses: Mapping[str, Sequence[float]], trained_length: int
) -> str:
    """An SVG file, as text. `losses` are nats a token in each bucket between `bounds`, by mode."""
    known = [loss for line in losses.values() for loss in line]
    low, high = _scale(min(known), max(known))
    parts = [svg.text((20, 28), title, "start", "title"), *_axes(bounds, low, high)]
    if trained_length < bounds[-1]:
        parts += _mark(_x(trained_length, bounds), "trained length")
    for index, (mode, line) in enumerate(losses.items()):
        colour, dashes = _LOOKS[index % len(_LOOKS)]
        points = [
            (_x((start + stop) / 2, bounds), _y(loss, low, high))
            for (start, stop), loss in zip(pairwise(bounds), line, strict=True)
        ]
        level = _TOP + 10 + 20 * index
        right = _LEFT + _WIDTH + 16
        parts.append(svg.line(points, "line", colour, dashes))
        parts.append(svg.line([(right, level - 4), (right + 24, level - 4)], "line", colour, dashes))
        parts.append(svg.text((right + 32, level), mode, "start"))
    return svg.picture(_LEFT + _WIDTH + _LEGEND, _TOP + _HEIGHT + _BOTTOM, title, parts)


def _axes(bounds: Sequence[int], low: float, high: float) -> Iterator[str]:
    bottom, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    for value in _ticks(low, high):
        level = _y(math.log(value), low, high)
        yield svg.line([(_LEFT, level), (right, level)], "grid")
        yield svg.text((_LEFT - 8, level + 4), f"{value:,g}", "end")
    marks = [bounds[len(bounds) // 4 * quarter] for quarter in range(4)] if len(bounds) > 4 else [bounds[0]]
    marks.append(bounds[-1])
    for mark, label in zip(marks, length_labels(marks), strict=True):
        yield svg.text((_x(mark, bounds), bottom + 18), label)
    yield svg.line([(_LEFT, _TOP), (_LEFT, bottom), (right, bottom)], "axis")
    yield svg.text((_LEFT + _WIDTH / 2, bottom + 40), "position in the text, tokens")
    yield svg.text((20, _TOP - 10), "perplexity", "start")


def _mark(x: float, label: str) -> Iterator[str]:
    yield svg.line([(x, _TOP), (x, _TOP + _HEIGHT)], "axis", dashes="3 3")
    yield svg.text((x + 4, _TOP - 10), label, "start")


def _x(position: float, bounds: Sequence[int]) -> float:
    return _LEFT + _WIDTH * position / bounds[-1]


def _y(loss: float, low: float, high: float) -> float:
    return _TOP + _HEIGHT * (1 - (loss - low) / (high - low))


def _scale(least: float, most: float) -> tuple[float, float]:
    """The losses at the ends of the axis: round perplexities around all that is shown."""
    ticks = list(_ticks(least - math.log(5), most + math.log(5)))
    low = max((math.log(t) for t in ticks if math.log(t) <= least), default=0.0)
    high = min((math.log(t) for t in ticks if math.log(t) >= most), default=most + 1)
    return (low, high) if high > low else (low - 1, high + 1)


def _ticks(low: float, high: float) -> Iterator[float]:
    """1, 2, 5, 10 ... between two logarithms; every power of ten alone where there are many."""
    first, last = math.floor(low / math.log(10)), math.ceil(high / math.log(10))
    for power in range(first, last + 1):
        for step in _STEPS if last - first <= 3 else _STEPS[:1]:
            value = float(f"{step}e{power}")
            if low - 1e-9 <= math.log(value) <= high + 1e-9:
                yield value
