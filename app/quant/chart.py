"""Size against divergence as a picture: the further down and to the left, the better."""

import math
from collections.abc import Iterator, Sequence

from app.eval.report import svg

_LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM, _RIGHT = 76, 66, 620, 400, 52, 170

#: Told apart by dashes as well, for those who see colours differently. Readable on white and on black.
_LOOKS = (
    ("#8C959F", None), ("#D29922", None), ("#4C8DFF", None), ("#A371F7", None), ("#0CA678", None),
    ("#8C959F", "2 3"), ("#4C8DFF", "6 3"), ("#0CA678", "6 3"),
)  # fmt: skip

#: A name, megabytes, and the divergence in nats a token.
Point = tuple[str, float, float]

#: Megabytes and divergences that belong together, under a name.
Series = tuple[str, Sequence[tuple[float, float]]]


def size_chart(title: str, points: Sequence[Point], series: Sequence[Series] = ()) -> str:
    """An SVG file, as text: single points with their names, and series as lines with a legend.

    The scale of the divergence is logarithmic; a divergence of 0 has no place on it and is drawn on
    the lower edge. There must be something to draw.
    """
    places = [(size, kl) for _, size, kl in points] + [place for _, line in series for place in line]
    known = [kl for _, kl in places if kl > 0] or [1.0]
    widest = max(size for size, _ in places) * 1.05
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)) + 1e-9)

    def place(size: float, kl: float) -> svg.Point:
        level = max(low, math.log10(kl)) if kl > 0 else low
        return _LEFT + _WIDTH * size / widest, _TOP + _HEIGHT * (high - level) / max(1, high - low)

    parts = [svg.text((20, 28), title, "start", "title"), *_axes(widest, low, high)]
    for index, (name, line) in enumerate(series):
        colour, dashes = _LOOKS[index % len(_LOOKS)]
        level, right = _TOP + 10 + 20 * index, _LEFT + _WIDTH + 16
        parts.append(svg.line([place(*point) for point in line], "line", colour, dashes))
        parts += [svg.dot(place(*point)) for point in line]
        parts.append(svg.line([(right, level - 4), (right + 24, level - 4)], "line", colour, dashes))
        parts.append(svg.text((right + 32, level), name, "start"))
    for name, size, kl in points:
        x, y = place(size, kl)
        parts += [svg.dot((x, y)), svg.text((x + 6, y + 4), name, "start")]
    return svg.picture(_LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BOTTOM, title, parts)


def _axes(widest: float, low: int, high: int) -> Iterator[str]:
    bottom, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    for power in range(low, high + 1):
        level = _TOP + _HEIGHT * (high - power) / max(1, high - low)
        yield svg.line([(_LEFT, level), (right, level)], "grid")
        yield svg.text((_LEFT - 8, level + 4), f"{10.0**power:g}", "end")
    step = _step(widest)
    for index in range(int(widest / step) + 1):
        yield svg.text((_LEFT + _WIDTH * index * step / widest, bottom + 18), f"{index * step:,g}")
    yield svg.line([(_LEFT, _TOP), (_LEFT, bottom), (right, bottom)], "axis")
    yield svg.text((_LEFT + _WIDTH / 2, bottom + 40), "size on disk, MB")
    yield svg.text((20, _TOP - 10), "KL divergence, nats a token", "start")


def _step(widest: float) -> float:
    """1, 2 or 5 times a power of ten, four to ten steps to the edge."""
    power = 10.0 ** math.floor(math.log10(widest))
    return next(power * part for part in (0.1, 0.2, 0.5, 1) if widest / (power * part) <= 10)
