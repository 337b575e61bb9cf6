"""Heat maps for a terminal: blocks of colour with the number in them, or the numbers alone."""

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from app.eval.grid import length_labels
from app.eval.report.colours import Colour, colour
from app.eval.report.summary import Map

_BLACK = "38;5;16"
_MISSING = "-"


def uses_colour(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours belong on `stream`: a terminal, and nobody said NO_COLOR."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def render(shown: Map, title: str, colours: bool, environment: Mapping[str, str] = os.environ) -> str:
    """One map as text: lengths from left to right, depths from top to bottom, means below."""
    labels = length_labels(shown.lengths)
    width = max(5, *(len(label) + 1 for label in labels))
    head = max(len(shown.title), len("mean"), *(len(row) for row in shown.rows))
    lines = [title, f"{shown.title:>{head}} " + "".join(f"{label:^{width}}" for label in labels)]
    true_colour = environment.get("COLORTERM", "") in ("truecolor", "24bit")

    def line(label: str, values: Sequence[float | None]) -> str:
        cells = (_cell(value, width, colours, true_colour) for value in values)
        return f"{label:>{head}} " + "".join(cells)

    lines += [line(row, values) for row, values in zip(shown.rows, shown.values, strict=True)]
    lines.append(line("mean", shown.means))
    return "\n".join(lines)


def _cell(value: float | None, width: int, colours: bool, true_colour: bool) -> str:
    text = f"{_MISSING if value is None else f'{value:.0f}':^{width}}"
    if value is None or not colours:
        return text
    return f"\x1b[{_BLACK};{_background(colour(value), true_colour)}m{text}\x1b[0m"


def _background(rgb: Colour, true_colour: bool) -> str:
    """24-bit where the terminal says it can, else the nearest of 216: Terminal.app garbles the former."""
    if true_colour:
        return "48;2;{};{};{}".format(*rgb)
    levels = (0, 95, 135, 175, 215, 255)
    red, green, blue = (min(range(6), key=lambda i: abs(levels[i] - part)) for part in rgb)
    return f"48;5;{16 + 36 * red + 6 * green + blue}"
