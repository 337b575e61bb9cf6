"""Styles laid over parts of a drawn line."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Span = tuple[int, int]

#: What stands left of the lines of quotes and code.
BARS = " ▌│↪"


def overlay(strip: Strip, spans: Iterable[Span], style: Style) -> Strip:
    """The line with `style` over the given ranges of characters (not cells)."""
    for start, end in spans:
        strip = _over(strip, start, end, style)
    return strip


def _over(strip: Strip, start: int, end: int, style: Style) -> Strip:
    painted: list[Segment] = []
    position = 0
    for segment in strip:
        text, own, control = segment
        length = len(text)
        first, last = max(start - position, 0), min(end - position, length)
        if first >= last:
            painted.append(segment)
        else:
            parts = ((0, first, own), (first, last, (own or Style.null()) + style), (last, length, own))
            painted += [Segment(text[a:b], look, control) for a, b, look in parts if a < b]
        position += length
    return Strip(painted, strip.cell_length)


def spans_with_meta(strip: Strip, name: str, value: object) -> list[Span]:
    """The ranges of characters whose style carries `value` under `name`."""
    spans: list[Span] = []
    position = 0
    for text, style, _ in strip:
        if style is not None and style.meta.get(name) == value:
            spans.append((position, position + len(text)))
        position += len(text)
    return spans


def occurrences(lines: Sequence[str], pattern: re.Pattern[str]) -> list[list[tuple[int, Span]]]:
    """Where a pattern stands in drawn lines: for each time, its pieces as (line, range of characters).

    The pattern sees the ends of lines as newlines; the bars that it finds after them are no pieces.
    """
    stripped = [line.strip() for line in lines]
    starts: list[int] = []
    position = 0
    for text in stripped:
        starts.append(position)
        position += len(text) + 1
    found: list[list[tuple[int, Span]]] = []
    for match in pattern.finditer("\n".join(stripped)):
        pieces = _pieces(match.span(), lines, stripped, starts)
        if pieces:
            found.append(pieces)
    return found


def _pieces(
    span: Span, lines: Sequence[str], stripped: Sequence[str], starts: Sequence[int]
) -> list[tuple[int, Span]]:
    pieces: list[tuple[int, Span]] = []
    line = bisect_right(starts, span[0]) - 1
    while line < len(starts) and starts[line] < span[1]:
        first = max(_after_bars(stripped[line]) if pieces else 0, span[0] - starts[line])
        last = min(len(stripped[line]), span[1] - starts[line])
        if first < last:
            indent = len(lines[line]) - len(lines[line].lstrip())
            pieces.append((line, (indent + first, indent + last)))
        line += 1
    return pieces


def _after_bars(text: str) -> int:
    return len(text) - len(text.lstrip(BARS))
