"""A table that grows."""

from textual.strip import Strip

from app.chat.markdown.blocks import Table
from app.chat.markdown.cells import Run
from app.chat.markdown.frame import Drawn, Frame
from app.chat.markdown.opened.base import Open, may_be_marks
from app.chat.markdown.parser import Numbers, build, read_nodes
from app.chat.markdown.table import (
    Cell,
    Columns,
    as_list,
    between_rows,
    draw_table,
    fit,
    head_cells,
    head_lines,
    row_cells,
    row_lines,
)

#: The rows whose cells decide the widths of the columns while the table grows; and the characters, if
#: that is fewer rows.
FIRST_ROWS, FIRST_CHARACTERS = 8, 4000

#: Characters of a row beyond which it is not read again for every piece.
LONG_ROW = 1000


class OpenTable(Open):
    """A table; its columns are fitted to the first rows until it is closed."""

    head = 2
    changes_when_closed = True

    def __init__(self, gap: bool, head: str, line: str) -> None:
        self._source = f"{head}\n{line}\n"
        table = build(read_nodes(self._source), [head, line], Numbers())[0]
        assert isinstance(table, Table)
        table.gap = gap
        self.block = self._table = table
        self._partial: list[str] | None = None
        self._length = 0  # of the line that `_partial` was read from
        self._size = 0  # characters of all rows
        self._last: tuple[list[str] | None, int, Frame, list[Strip]] | None = None
        self._drawn = Drawn()
        self._head: list[Cell] = []
        self._columns: Columns | None = None
        self._count = 0

    def take(self, line: str) -> list[str] | None:
        self._partial, self._length = None, 0
        row = self._row(line)
        if row is None:
            return [line]
        self._table.rows.append(row)
        self._size += len(line)
        return None

    def rest(self, text: str) -> bool:
        if not text.strip() or may_be_marks(text):
            self._partial, self._length = None, 0
            return True
        # A very long row is read again only when an eighth has been added.
        if self._partial is None or len(text) < LONG_ROW or len(text) > self._length * 9 // 8:
            self._partial, self._length = self._row(text), len(text)
        return self._partial is not None

    def _row(self, line: str) -> list[str] | None:
        """The cells of a line; None when it is no row."""
        nodes = read_nodes(self._source + line)
        if len(nodes) != 1 or nodes[0].end != 3:
            return None
        table = build(nodes, [], Numbers())[0]
        return table.rows[0] if isinstance(table, Table) and table.rows else None

    def draw(self, frame: Frame) -> list[Strip]:
        key = self._partial, len(self._table.rows), frame
        if self._last is None or self._last[0] is not key[0] or self._last[1:3] != key[1:]:
            self._last = *key, self._draw(frame)
        return self._last[3]

    def _draw(self, frame: Frame) -> list[Strip]:
        if len(self._table.rows) <= FIRST_ROWS and self._size <= FIRST_CHARACTERS:
            rows = [*self._table.rows, *([self._partial] if self._partial else [])]
            return draw_table(Table(False, self._table.alignment, self._table.header, rows), frame)
        if self._drawn.begin(frame):
            self._begin(frame)
        for row in self._table.rows[self._count :]:
            self._drawn.add(self._row_lines(row, frame))
            self._count += 1
        last = self._drawn.with_more(self._row_lines(self._partial, frame)) if self._partial else []
        return [*self._drawn.strips, *last]

    def _begin(self, frame: Frame) -> None:
        self._count = 0
        self._head = head_cells(self._table, frame)
        first = [row_cells(row, frame) for row in self._table.rows[:FIRST_ROWS]]
        self._columns = fit([self._head, *first], self._table.alignment, frame.room)
        self._drawn.add(head_lines(self._head, self._columns, frame) if self._columns else [])

    def _row_lines(self, row: list[str], frame: Frame) -> list[list[Run]]:
        drawn = row_cells(row, frame)
        if self._columns is None:
            return as_list(self._head, drawn, frame)
        rule = [between_rows(self._columns, frame)] if self._columns.ruled and self._count else []
        return [*rule, *row_lines(drawn, self._columns, frame)]
