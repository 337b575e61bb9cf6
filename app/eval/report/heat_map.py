"""Heat maps as a picture: the modes side by side, under each the means of its lengths as a line."""

from collections.abc import Iterator, Sequence

from app.eval.grid import length_labels
from app.eval.report import svg
from app.eval.report.colours import hexadecimal
from app.eval.report.summary import Map

_CELL = (44, 24)
_LEFT, _RIGHT, _TOP = 64, 20, 74
_STRIP = (26, 44)  # the line of means: distance from the map, height
_BOTTOM = 46
_LETTER = 9  # width of one in a title, roughly
_WIDEST = 1500  # panels that would go beyond it start another row


def heat_maps(maps: Sequence[Map], title: str) -> str:
    """An SVG file of one or more maps of the same shape, as text."""
    first = maps[0]
    longest_label = max(len(row) for row in first.rows)
    left = max(_LEFT, 20 + 7 * longest_label)
    widest_title = max(len(_title(shown)) for shown in maps) * _LETTER
    width = left + max(_CELL[0] * len(first.lengths), widest_title) + _RIGHT
    height = _TOP + _CELL[1] * len(first.rows) + sum(_STRIP) + _BOTTOM
    across = min(len(maps), max(1, _WIDEST // width))
    down = -(-len(maps) // across)
    parts = [svg.text((20, 26), title, "start", "title")]
    for index, shown in enumerate(maps):
        row, column = divmod(index, across)
        parts.append(f'<g transform="translate({column * width} {row * height})">')
        parts += _panel(shown, left)
        parts.append("</g>")
    return svg.picture(across * width, down * height, title, parts)


def _panel(shown: Map, left: float) -> Iterator[str]:
    wide, high = _CELL
    bottom = _TOP + high * len(shown.rows)
    yield svg.text((left, _TOP - 24), _title(shown), "start", "title")
    yield svg.text((left - 8, _TOP - 8), shown.title, "end")
    for row, (label, values) in enumerate(zip(shown.rows, shown.values, strict=True)):
        top = _TOP + high * row
        yield svg.text((left - 8, top + high / 2 + 4), label, "end")
        for column, value in enumerate(values):
            yield from _cell((left + wide * column, top), value)
    yield from _means(shown, left, bottom + _STRIP[0])
    for column, label in enumerate(length_labels(shown.lengths)):
        yield svg.text((left + wide * (column + 0.5), bottom + 15), label)
    yield svg.text((left + wide * len(shown.lengths) / 2, bottom + sum(_STRIP) + 34), "prompt tokens")


def _title(shown: Map) -> str:
    return shown.mode if shown.overall is None else f"{shown.mode}, mean {shown.overall:.1f}"


def _cell(corner: svg.Point, value: float | None) -> Iterator[str]:
    wide, high = _CELL
    yield svg.box(corner, wide - 1, high - 1, None if value is None else hexadecimal(value))
    if value is not None:
        yield svg.text((corner[0] + wide / 2, corner[1] + high / 2 + 4), f"{value:.0f}", kind="number")


def _means(shown: Map, left: float, top: float) -> Iterator[str]:
    """The line of means between 0 and 100, and the numbers below it."""
    wide, high = _CELL[0], _STRIP[1]
    right = left + wide * len(shown.lengths)
    for label, level in (("100", top), ("0", top + high)):
        yield svg.line([(left, level), (right, level)], "grid")
        yield svg.text((left - 8, level + 4), label, "end")
    points = [
        (left + wide * (column + 0.5), top + high * (1 - mean / 100))
        for column, mean in enumerate(shown.means)
        if mean is not None
    ]
    yield svg.line(points, "line")
    yield from map(svg.dot, points)
    yield svg.text((left - 8, top + high + 18), "mean", "end")
    for column, mean in enumerate(shown.means):
        if mean is not None:
            yield svg.text((left + wide * (column + 0.5), top + high + 18), f"{mean:.0f}")
