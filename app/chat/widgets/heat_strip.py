"""A strip of cells, one for each slice of the documents: what was read of it, and how relevant it was."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from app.chat.documents.heat import Heat, pages_text
from app.chat.documents.items import Item
from app.chat.screens.text import fitted, line
from app.chat.store.records import Citation, Reading

#: What a cell shows: density says what colour says.
UNREAD = "·"
SHADES = "░▒▓█"
HERE = "↑"  # below the window that is being read
SEVERAL = "+"  # below a cell with several citations
MANY = "▴"  # in place of a number of two digits

WORDS = ("irrelevant", "hardly relevant", "relevant", "most relevant")

DESCRIPTION, CELLS, TICKS = range(3)


class HeatStrip(Widget):
    """Three lines: what the cell under the cursor stands for, the cells, and what they are marked with."""

    class Opened(Message):
        """The reader wants to see the text of a cell."""

        def __init__(self, file: int, start: int, end: int) -> None:
            super().__init__()
            self.file, self.start, self.end = file, start, end

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "heat-strip--unread",
        "heat-strip--0",
        "heat-strip--1",
        "heat-strip--2",
        "heat-strip--3",
        "heat-strip--words",
        "heat-strip--tick",
    }

    DEFAULT_CSS = """
    HeatStrip {
        height: 3;
        & > .heat-strip--unread { color: $text-muted; text-style: dim; }
        & > .heat-strip--0 { color: $text-muted; }
        & > .heat-strip--1 { color: $primary; }
        & > .heat-strip--2 { color: $warning; }
        & > .heat-strip--3 { color: $success; text-style: bold; }
        & > .heat-strip--words { color: $text-muted; }
        & > .heat-strip--tick { color: $text; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.heat = Heat()
        self._readings: list[Reading] = []  # also of documents that are not open yet
        self._place: tuple[int, int] | None = None  # file and character under the cursor
        self._citations: tuple[Citation, ...] = ()
        self._reading = False
        self._title = ""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 3

    # What is shown.

    def show_documents(self, items: Sequence[Item]) -> None:
        """Other documents; what was read of those that stay stays."""
        heat = Heat(items)
        if [(one.file, one.characters) for one in heat.items] == [
            (one.file, one.characters) for one in self.heat.items
        ]:
            return
        heat.add(self._readings)
        self.heat = heat
        self.refresh()

    def show_readings(self, readings: Sequence[Reading], fresh: bool) -> None:
        """Windows that were read now; all there are where `fresh`."""
        if fresh:
            self.heat = Heat(self.heat.items)
            self._readings.clear()
        self._readings += readings
        known = len(self.heat.readings)
        self.heat.add(readings)
        self._reading = not fresh and len(self.heat.readings) > known
        self.refresh()

    def show_citations(self, citations: Sequence[Citation], reading: bool) -> None:
        """What the answer rests on; `reading` while a better one is looked for."""
        self._citations = tuple(citations)
        self._reading = reading
        self.refresh()

    def show_title(self, title: str) -> None:
        """What is said while the cursor is on no cell."""
        self._title = title
        self._refresh_line(DESCRIPTION)

    # The cursor.

    @property
    def cells(self) -> int:
        """How many cells there are: as many as fit, but none without a character."""
        return min(self.size.width, self.heat.characters)

    @property
    def cursor(self) -> int | None:
        """The cell that the cursor is on, None for none."""
        return None if self._place is None else self.heat.cell_of(*self._place, self.cells)

    def move(self, step: int) -> None:
        """The cursor on to another cell; from nowhere to the most relevant one."""
        if not self.cells:
            return
        if self.cursor is None:
            scores = self.heat.scores(self.cells)
            read = [cell for cell, score in enumerate(scores) if score is not None]
            self._go_to(max(read, key=lambda cell: scores[cell] or 0.0) if read else 0)
        else:
            self._go_to(min(max(0, self.cursor + step), self.cells - 1))

    def put(self, file: int, position: int) -> None:
        """The cursor on to the cell of a character."""
        self._place = (file, position)
        self.refresh()

    def open(self) -> bool:
        """Asks for the text of the cell under the cursor; False where it is on none."""
        part = None if self.cursor is None else self.heat.slice_of(self.cursor, self.cells)
        if part is None or part.item.file is None:
            return False
        self.post_message(self.Opened(part.item.file, part.start, part.end))
        return True

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y in (CELLS, TICKS) and offset.x < self.cells:
            self._go_to(offset.x)
            self.open()

    def _go_to(self, cell: int) -> None:
        part = self.heat.slice_of(cell, self.cells)
        if part is not None and part.item.file is not None:
            self.put(part.item.file, part.start)

    @property
    def description(self) -> str:
        """What is said of the cell under the cursor."""
        cell = self.cursor
        part = None if cell is None else self.heat.slice_of(cell, self.cells)
        if part is None or cell is None:
            return self._title
        score = self.heat.scores(self.cells)[cell]
        said = [pages_text(part)]
        if len(self.heat.items) > 1:
            said.insert(0, line(part.item.name))
        numbers = self._cited().get(cell)
        if score is not None:
            said.append(f"{WORDS[self.heat.level(score)]} (score {score:+.1f})")
        elif not numbers:  # what a search finds is cited without a score
            said.append("not read")
        if numbers:
            said.append("cited " + " ".join(f"[{number}]" for number in numbers))
        return " · ".join(said)

    # Drawing.

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        match y:
            case 0:
                return Strip([Segment(fitted(self.description, width), self._style("words"))], width)
            case 1:
                return self._cell_line(width)
            case 2:
                return self._tick_line(width)
        return Strip.blank(width)

    def _cell_line(self, width: int) -> Strip:
        if not self.cells:
            return Strip.blank(width)
        unread = Segment(UNREAD, self._style("unread"))
        shades = [Segment(shade, self._style(str(level))) for level, shade in enumerate(SHADES)]
        cells = [
            unread if score is None else shades[self.heat.level(score)]
            for score in self.heat.scores(self.cells)
        ]
        if (cursor := self.cursor) is not None:
            under = cells[cursor]
            cells[cursor] = Segment(under.text, (under.style or Style()) + Style(reverse=True))
        return Strip(cells, len(cells)).simplify().extend_cell_length(width)

    def _tick_line(self, width: int) -> Strip:
        ticks = [" "] * width
        if self._reading and self.heat.readings:
            last = self.heat.readings[-1]
            if (cell := self.heat.cell_of(last.file, last.start, self.cells)) is not None:
                ticks[cell] = HERE
        for cell, numbers in self._cited().items():
            sign = str(numbers[0]) if len(numbers) == 1 else SEVERAL
            ticks[cell] = sign if len(sign) == 1 else MANY
        return Strip([Segment("".join(ticks), self._style("tick"))], width)

    def _cited(self) -> dict[int, list[int]]:
        """The numbers of the citations in each cell that has any."""
        cited: dict[int, list[int]] = {}
        for one in self._citations:
            if (cell := self.heat.cell_of(one.file, one.start, self.cells)) is not None:
                cited.setdefault(cell, []).append(one.number)
        return cited

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"heat-strip--{part}")

    def _refresh_line(self, y: int) -> None:
        self.refresh(Region(0, y, self.size.width, 1))
