"""From the words of a page, which a PDF gives in any order, to lines in reading order.

A PDF places glyphs; columns are seen only in the white between them. So lines are first cut where the
white is wider than between words. White that runs down through most of the narrow lines, with prose on
both sides of it, is a gutter; lines that cross it (titles, wide figures) divide the page into bands, and
each band is read column by column. A table has gutters too, but its cells do not fill their columns.

Coordinates are points from the top left corner of the page as it is shown, y growing downwards.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

#: Between the cells of a row; words are one space apart.
CELLS_APART = "  "


class Word(NamedTuple):
    """Letters without white space between them and their box."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(slots=True)
class Line:
    """Words on one baseline, or a part of them up to a wide gap, and their box.

    `size` is the mean height of its letters: exponents and tall symbols make the box higher. `edge` is
    where its column ends on the right: a line that ends before it could have held more words.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    edge: float = 0.0

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class Gutter(NamedTuple):
    left: float
    right: float


# Gaps in sizes of a line (the height of its letters' boxes, some 1.15 times the type size).
_WIDEST_SPACE = 0.9  # more cuts a line
_CELL_GAP = 1.6  # more separates the cells of a table
_NARROWEST_GUTTER = 0.5

_WIDE = 0.6  # of the width of the text: a line this wide crosses every gutter
_FILLED = 0.6  # of the width of a column: a line of prose is mostly wider
_CROSSING = 0.06  # of the narrow lines may cross a gutter: centred headings, formulas
_LEAST_LINES = 3  # of a column
_MOST_LINES = 5000  # of a page with columns: real ones have hundreds
_LEAST_COLUMN = 0.12  # of the width of the text
_LEAST_LETTERS = 16  # in a line of a column, on average; Chinese ones count double
_BAND_GAP = 1.5  # sizes of white across the page that may separate two layouts
_MOST_BANDS = 12
_MOST_TITLE_LINES = 3
_TITLE_GAP = 0.6  # sizes
_PROSE_EDGE = 0.7  # of the width of the page, at least, is where prose ends on the right


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Joins words that follow each other, on one baseline, without a wide gap."""
    lines: list[Line] = []
    for word in words:
        line = lines[-1] if lines else None
        if line is not None and _continues(line, word):
            line.size = _mean_size(line, word.text, word.bottom - word.top)
            line.text += " " + word.text if word.left - line.right > 0.05 * line.size else word.text
            line.right = max(line.right, word.right)
            line.top, line.bottom = min(line.top, word.top), max(line.bottom, word.bottom)
        else:
            lines.append(Line(*word, size=word.bottom - word.top))
    return lines


def _mean_size(line: Line, text: str, size: float) -> float:
    return (line.size * len(line.text) + size * len(text)) / (len(line.text) + len(text))


def _continues(line: Line, word: Word) -> bool:
    height = min(line.size, word.bottom - word.top)
    overlap = min(line.bottom, word.bottom) - max(line.top, word.top)
    gap = word.left - line.right
    return overlap > 0.5 * height and -0.5 * line.size < gap < _WIDEST_SPACE * line.size


def reading_order(lines: Sequence[Line], page_width: float) -> list[Line]:
    """The lines of a page, column after column, parts of one line joined; sets their `edge`."""
    # A page of short lines only, such as a poem, has its edge where prose would.
    edge = max([line.right for line in lines] + [_PROSE_EDGE * page_width])
    return _ordered(list(lines), edge, _MOST_BANDS)


def _ordered(lines: list[Line], edge: float, bands: int) -> list[Line]:
    gutters = _gutters(lines)
    if gutters:
        return _by_columns(lines, gutters)
    parts = _split_at_white(lines) if bands > 1 and len(lines) > 2 * _LEAST_LINES else None
    if parts is None:
        return joined_rows(lines, edge)
    above, below = parts
    share = max(1, bands // 2)
    return _ordered(above, edge, share) + _ordered(below, edge, share)


def joined_rows(lines: Sequence[Line], edge: float = 0.0) -> list[Line]:
    """The lines from top to bottom, those on one baseline joined from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        row = rows[-1] if rows else None
        if row is not None and line.middle < row[0].bottom and line.top < row[0].middle:
            row.append(line)
        else:
            rows.append([line])
    return [_joined(sorted(row, key=lambda line: line.left), edge) for row in rows]


def _joined(row: list[Line], edge: float) -> Line:
    text = row[0].text
    for before, line in pairwise(row):
        text += (CELLS_APART if line.left - before.right > _CELL_GAP * line.size else " ") + line.text
    return Line(
        text,
        row[0].left,
        min(line.top for line in row),
        max(line.right for line in row),
        max(line.bottom for line in row),
        sum(line.size * len(line.text) for line in row) / sum(len(line.text) for line in row),
        edge,
    )


def _gutters(lines: list[Line]) -> list[Gutter]:
    """The white strips between columns of prose, from left to right; none on most pages."""
    if not 2 * _LEAST_LINES <= len(lines) <= _MOST_LINES:
        return []
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    narrow = [line for line in lines if line.right - line.left < _WIDE * (right - left)]
    if len(narrow) < 2 * _LEAST_LINES:
        return []
    gutters = _white_strips(narrow, left, right)
    while gutters and (worst := _unfit(narrow, gutters, right - left)) is not None:
        del gutters[worst]
    return gutters


def _white_strips(lines: list[Line], left: float, right: float) -> list[Gutter]:
    """Strips that hardly a line crosses, wide enough and with lines on either side."""
    height = median(line.size for line in lines)
    step = max(height / 4, (right - left) / 2000, 0.01)
    count = int((right - left) / step) + 1
    change = [0] * (count + 1)
    for line in lines:
        change[int((line.left - left) / step)] += 1
        change[min(count, int((line.right - left) / step) + 1)] -= 1
    most = _CROSSING * len(lines)
    strips: list[Gutter] = []
    crossing, begin = 0, None
    for bin_number in range(count):
        crossing += change[bin_number]
        if crossing <= most:
            begin = bin_number if begin is None else begin
        elif begin is not None:
            if begin and (bin_number - begin) * step >= _NARROWEST_GUTTER * height:
                strips.append(Gutter(left + begin * step, left + bin_number * step))
            begin = None
    return strips


def _unfit(lines: list[Line], gutters: list[Gutter], width: float) -> int | None:
    """The gutter to give up because a column beside it is no column of prose; None if all are."""
    columns = _columns(lines, gutters)[0]
    for number, column in enumerate(columns):
        if not _is_prose(column, width):
            beside = [i for i in (number - 1, number) if 0 <= i < len(gutters)]
            return min(beside, key=lambda i: gutters[i].right - gutters[i].left)
    return None


def _is_prose(column: list[Line], page_width: float) -> bool:
    if len(column) < _LEAST_LINES:
        return False
    left, right = min(line.left for line in column), max(line.right for line in column)
    if right - left < _LEAST_COLUMN * page_width:
        return False
    if sum(map(_letters, column)) < _LEAST_LETTERS * len(column):
        return False
    filled = sum(line.right - line.left > _FILLED * (right - left) for line in column)
    return 2 * filled >= len(column)


def _letters(line: Line) -> int:
    return len(line.text) + sum(letter >= "\u2e80" for letter in line.text)


def _columns(lines: Iterable[Line], gutters: list[Gutter]) -> tuple[list[list[Line]], list[Line]]:
    """The lines in each column, and those that cross a gutter."""
    columns: list[list[Line]] = [[] for _ in range(len(gutters) + 1)]
    crossing: list[Line] = []
    for line in lines:
        if any(line.left < gutter.left and line.right > gutter.right for gutter in gutters):
            crossing.append(line)
        else:
            centre = (line.left + line.right) / 2
            columns[sum(centre > (gutter.left + gutter.right) / 2 for gutter in gutters)].append(line)
    for number in range(1, len(columns)):
        title = _title(columns[number], [line for column in columns[:number] for line in column])
        crossing += title
        columns[number] = [line for line in columns[number] if line not in title]
    return columns, crossing


def _title(column: list[Line], before: list[Line]) -> list[Line]:
    """The first lines of a column, if they stand above all columns before it, and apart.

    So does a title too short to cross a gutter, which is yet to be read first.
    """
    top = min((line.top for line in before), default=0.0)
    ordered = sorted(column, key=lambda line: line.top)
    above = [line for line in ordered if line.bottom <= top]
    if not 0 < len(above) <= _MOST_TITLE_LINES:
        return []
    below = ordered[len(above)].top if len(above) < len(ordered) else float("inf")
    return above if below - above[-1].bottom > _TITLE_GAP * above[-1].size else []


def _by_columns(lines: list[Line], gutters: list[Gutter]) -> list[Line]:
    """Band by band between the lines that cross a gutter, and in each column by column."""
    columns, crossing = _columns(lines, gutters)
    edges = [max((line.right for line in column), default=0.0) for column in columns]
    ordered: list[Line] = []
    above = float("-inf")
    for row in [*joined_rows(crossing, max(edges)), None]:
        below = row.middle if row is not None else float("inf")
        for column, edge in zip(columns, edges, strict=True):
            ordered += joined_rows([line for line in column if above <= line.middle < below], edge)
        if row is not None:
            ordered.append(row)
        above = below
    return ordered


def _split_at_white(lines: list[Line]) -> tuple[list[Line], list[Line]] | None:
    """The lines above and below the highest white band across the page, if one is high enough."""
    ordered = sorted(lines, key=lambda line: line.top)
    best, at = _BAND_GAP * median(line.size for line in lines), 0
    bottom = ordered[0].bottom
    for index, line in enumerate(ordered[1:], 1):
        if line.top - bottom > best:
            best, at = line.top - bottom, index
        bottom = max(bottom, line.bottom)
    return (ordered[:at], ordered[at:]) if at else None
