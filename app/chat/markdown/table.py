"""Tables: columns fitted to the width, cells wrapped; a list of named values where that is too narrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from app.chat.markdown.blocks import Alignment, Table
from app.chat.markdown.cells import Run, cells, without_trailing_spaces, wrap
from app.chat.markdown.frame import Frame
from app.chat.markdown.inline import runs_of
from app.chat.markdown.pieces import cut_pieces

#: Cells of the narrowest column; where not all columns get that, rows become lists.
NARROWEST = 6

Cell = list[Run]


@dataclass(frozen=True)
class Columns:
    """The widths of a table's columns; `ruled`: lines between the rows, because cells have several."""

    widths: tuple[int, ...]
    alignment: Sequence[Alignment]
    ruled: bool


def draw_table(table: Table, frame: Frame) -> list[Strip]:
    """All of a table."""
    head, rows = head_cells(table, frame), [row_cells(row, frame) for row in table.rows]
    columns = fit([head, *rows], table.alignment, frame.room)
    if columns is None:
        return frame.strips(
            [line for row in rows for line in as_list(head, row, frame)] or wrap(_flat(head), frame.room)
        )
    lines = [*head_lines(head, columns, frame)]
    for index, row in enumerate(rows):
        if index and columns.ruled:
            lines.append(between_rows(columns, frame))
        lines += row_lines(row, columns, frame)
    return frame.strips(lines)


def head_cells(table: Table, frame: Frame) -> list[Cell]:
    """The runs of each header cell."""
    return [_runs(cell, frame, frame.palette.text + frame.palette.strong) for cell in table.header]


def row_cells(row: Sequence[str], frame: Frame) -> list[Cell]:
    """The runs of each cell of a row."""
    return [_runs(cell, frame, frame.palette.text) for cell in row]


def fit(rows: Sequence[Sequence[Cell]], alignment: Sequence[Alignment], room: int) -> Columns | None:
    """Columns for these rows; None when `room` is too small for a table.

    A column is as wide as its longest line. When all are too wide together, the wide ones give:
    every column gets the same at most, and what short columns leave over goes to the others.
    """
    wanted = [max(1, *(_width(row[index]) for row in rows)) for index in range(len(alignment))]
    free = room - 3 * (len(wanted) - 1)
    if sum(wanted) <= free:
        return Columns(tuple(wanted), alignment, any(_has_lines(cell) for row in rows for cell in row))
    if free < sum(min(want, NARROWEST) for want in wanted):
        return None
    widths = dict.fromkeys(range(len(wanted)), 0)
    left = sorted(widths, key=lambda index: wanted[index])
    while left:
        share = free // len(left)
        index = left.pop(0)
        widths[index] = min(wanted[index], share)
        free -= widths[index]
    return Columns(tuple(widths.values()), alignment, True)


def head_lines(head: Sequence[Cell], columns: Columns, frame: Frame) -> list[list[Run]]:
    """The header and the line below it."""
    return [*row_lines(head, columns, frame), _rule(columns, frame, "┿")]


def row_lines(row: Sequence[Cell], columns: Columns, frame: Frame) -> list[list[Run]]:
    """A row, in as many lines as its highest cell takes."""
    wrapped = [wrap(cell, width) for cell, width in zip(row, columns.widths, strict=True)]
    lines: list[list[Run]] = []
    for parts in zip_longest(*wrapped, fillvalue=()):
        line: list[Run] = []
        for part, width, side in zip(parts, columns.widths, columns.alignment, strict=True):
            if line:
                line.append((" │ ", frame.palette.quiet))
            line += _placed(part, width, side, frame.palette.text)
        lines.append(without_trailing_spaces(line))
    return lines


def between_rows(columns: Columns, frame: Frame) -> list[Run]:
    """The line between two rows."""
    return _rule(columns, frame, "┼")


def as_list(head: Sequence[Cell], row: Sequence[Cell], frame: Frame) -> list[list[Run]]:
    """A row as lines of "header: value", after a line that sets it off."""
    lines: list[list[Run]] = [[("─" * min(3, frame.room), frame.palette.quiet)]]
    for name, cell in zip(head, row, strict=True):
        lines += wrap([*name, (": ", frame.palette.quiet), *cell], frame.room)
    return lines


def _runs(cell: str, frame: Frame, base: Style) -> Cell:
    return runs_of(cut_pieces(cell), frame.palette, frame.citations, base)


def _width(cell: Cell) -> int:
    if not _has_lines(cell):
        return cells(cell)
    return max(map(cell_len, "".join(text for text, _ in cell).split("\n")))


def _has_lines(cell: Cell) -> bool:
    return any("\n" in text for text, _ in cell)


def _flat(row: Sequence[Cell]) -> list[Run]:
    return [run for cell in row for run in (*cell, (" ", Style()))]


def _rule(columns: Columns, frame: Frame, crossing: str) -> list[Run]:
    bar = "━" if crossing == "┿" else "─"
    return [(f"{bar}{crossing}{bar}".join(bar * width for width in columns.widths), frame.palette.quiet)]


def _placed(part: Sequence[Run], width: int, side: Alignment, style: Style) -> list[Run]:
    space = width - cells(part)
    left = {"left": 0, "right": space, "center": space // 2}[side]
    padding = [(" " * left, style), (" " * (space - left), style)]
    return [run for run in (padding[0], *part, padding[1]) if run[0]]
