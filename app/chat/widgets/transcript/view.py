"""The scrolling of a conversation: one widget whose lines are drawn as they come into view.

The compositor knows one widget however long the conversation is. `Layout` says which message stands
where; here is kept what the reader looks at: the place of the top line (`_anchor`), or the end while
`following`. Every change ends in `_update`, which lays out around that and redraws the lines that
became other ones.
"""

import time
from collections.abc import Callable
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from app.chat.markdown import Palette
from app.chat.store.records import Message
from app.chat.widgets.transcript.drawing import GUTTER, Line, Painter
from app.chat.widgets.transcript.header import Look
from app.chat.widgets.transcript.layout import (
    SCREENS_WALKED,
    Layout,
    Place,
    letters_before,
    line_with,
)

# As `set_reactive` wants them: read from the class, a reactive value is itself.
SCROLL_Y = cast(Reactive[float], Widget.scroll_y)
SCROLL_TARGET_Y = cast(Reactive[float], Widget.scroll_target_y)
VIRTUAL_SIZE = cast(Reactive[Size], Widget.virtual_size)

#: Text runs no wider than this, however wide the terminal: longer lines are hard to read.
WIDEST = 120

HINT = (
    "Ask something below. Everything stays on this machine.",
    "",
    "@ attaches a document, / shows the commands, F1 all keys.",
)


class ConversationView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows the messages of a `Layout` and lets the reader scroll through them."""

    DEFAULT_CSS = """
    ConversationView {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        .transcript--you { color: $text-primary; text-style: bold; }
        .transcript--model { color: $text-accent; text-style: bold; }
        .transcript--dim { text-style: dim; }
        .transcript--state { color: $text-warning; text-style: italic; }
        .transcript--bar { color: $text-primary; text-style: bold; }
        .transcript--hit { color: $text-warning; text-style: bold underline; }
        .transcript--here { text-style: bold reverse underline; }
        .transcript--citation { text-style: bold reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--you",
        "transcript--model",
        "transcript--dim",
        "transcript--state",
        "transcript--bar",
        "transcript--hit",
        "transcript--here",
        "transcript--citation",
    }

    def __init__(
        self,
        load: Callable[[int], Message],
        *,
        now: Callable[[], float] = time.time,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._places = Layout(load)
        self._painter = Painter()
        self._now = now
        self._notes: dict[int, str] = {}
        self._anchor: Place = (0, 0)
        self._following = True
        self._current: int | None = None
        self._moving = False
        self._unsettled = True  # something changed while the size was not known
        self._drawn: list[Line | None] = []

    # What the reader looks at.

    @property
    def following(self) -> bool:
        """Whether the view stays at the end while text arrives."""
        return self._following

    @property
    def current(self) -> int | None:
        """The message that keys act on: the marked one, the last while none is; None in an empty chat."""
        if self._current in self._places.index:
            return self._current
        return self._places.stubs[-1].id if self._places.stubs else None

    @property
    def top(self) -> Place:
        """The message (index) and its line at the top of the view."""
        return self._anchor

    def focus_on_click(self) -> bool:
        """A click or a selection takes no keys from the prompt; a click on a header does."""
        return False

    def _row_of(self, place: Place) -> int:
        """The row of the view in which a place stands, negative above the view."""
        return self._places.line_of(place) - self._places.line_of(self._anchor)

    def _is_visible(self, index: int) -> bool:
        """Whether any line of a message but the empty one at its end is in view."""
        row = self._row_of((index, 0))
        return row < self._places.rows and row + self._places.heights[index] - 1 > 0

    # Scrolling.

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: object) -> None:
        """Never animated: lines slide by only while somebody waits for them."""
        options.update(animate=False)
        super().scroll_to(x, y, **options)  # pyright: ignore[reportArgumentType]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The reader scrolled, with the wheel, the scroll bar or at the edge of a selection."""
        super().watch_scroll_y(old_value, new_value)
        delta = round(new_value) - round(old_value)
        if delta and not self._moving and self._is_laid_out() and self._places.stubs:
            self._moved(delta, round(new_value))

    def _moved(self, delta: int, line: int) -> None:
        layout = self._places
        if delta > 0 and line >= self.max_scroll_y:
            self._following = True
        else:
            self._following = False
            dragged_to_start = line <= 0 and self.is_vertical_scrollbar_grabbed
            if abs(delta) <= SCREENS_WALKED * layout.rows and not dragged_to_start:
                self._anchor = layout.walk(self._anchor, delta)
            else:
                self._anchor = layout.jump(line)
        self._settled_by_reader(delta)

    def _scroll_lines(self, lines: int) -> None:
        """Scrolls by so many lines of true height."""
        self._following = False
        self._anchor = self._places.walk(self._anchor, lines)
        self._settled_by_reader(lines)

    def _settled_by_reader(self, direction: int) -> None:
        """Lays out where the reader went; at the end the view follows again."""
        self._update()
        self._following = self._at_end() and self.text_selection is None
        self._bring_mark_along(direction)

    def _show_end(self) -> None:
        self._following = True
        self._update()

    def _show_place(self, place: Place, row: int) -> None:
        """Puts a place into a row of the view, or as near to it as the ends allow."""
        self._following = False
        self._anchor = self._places.walk(place, -row)
        self._update()
        self._following = self._at_end()

    def _at_end(self) -> bool:
        return round(self.scroll_y) >= self.max_scroll_y

    def _reveal(self, place: Place) -> None:
        """Scrolls to a place unless it is in view."""
        self._places.measure(place[0])
        self._update()
        if not 0 <= self._row_of(place) < self._places.rows:
            self._show_place(place, self._places.rows // 3)

    def _bring_mark_along(self, direction: int) -> None:
        """Keys never act on what is out of sight: a mark that left the view moves back into it."""
        current = self.current
        if current is None or self._is_visible(self._places.index[current]):
            return
        visible = self._visible_messages()
        if self._following:
            self._mark(None)
        elif visible:
            self._mark(self._places.stubs[visible[0 if direction > 0 else -1]].id)

    def _visible_messages(self) -> list[int]:
        index, visible = self._anchor[0], []
        while index < len(self._places) and self._row_of((index, 0)) < self._places.rows:
            if self._is_visible(index):
                visible.append(index)
            index += 1
        return visible

    def _mark(self, id: int | None) -> None:
        self._current = id
        self._redraw()

    # Layout.

    def _is_laid_out(self) -> bool:
        """Whether the size is known and what is laid out fits it."""
        size = self.scrollable_size
        layout = self._places
        return bool(size) and (layout.width, layout.rows) == (self._body_width(size.width), size.height)

    def _body_width(self, width: int) -> int:
        return max(1, min(width - GUTTER - 1, WIDEST))

    def on_resize(self, event: Resize) -> None:
        """Other lines in another width, around the same top line."""
        self._lay_out()

    def _lay_out(self) -> None:
        size = self.scrollable_size
        if not size or (self._is_laid_out() and not self._unsettled):
            return
        layout = self._places
        held = self._letters_above_anchor()
        if layout.width and layout.width != self._body_width(size.width):
            self._forget_selection()  # its lines are broken elsewhere now
        layout.resize(self._body_width(size.width), size.height)
        if held is not None:
            block = layout.block(self._anchor[0])
            self._anchor = self._anchor[0], 1 + line_with(block.text, held, layout.width)
        self._painter.width, self._painter.body_width = size.width, layout.width
        self._restyle()
        self._update()
        self.refresh()

    def _letters_above_anchor(self) -> int | None:
        """How much text of the top message is above the view; None for its header."""
        layout, (index, line) = self._places, self._anchor
        if not line or self._following or not layout.width or index >= len(layout):
            return None
        return letters_before(layout.block(index).text, line - 1, layout.width)

    def _update(self) -> None:
        """Lays out around the anchor and redraws the rows that show something else than before."""
        self._unsettled = not self._is_laid_out()
        if self._unsettled:
            return
        layout = self._places
        if not layout.stubs:
            self._anchor = (0, 0)
        elif self._following:
            self._anchor = layout.end()
        else:
            index = min(self._anchor[0], len(layout) - 1)
            line = min(self._anchor[1], layout.measure(index) - 1)
            self._anchor = layout.fill((index, line))
        self._scroll_quietly(layout.line_of(self._anchor), layout.heights.total)
        self._refresh_changed()

    def _scroll_quietly(self, line: int, total: int) -> None:
        """Sets the position without a layout of the screen, which assigning `virtual_size` would cost."""
        self._moving = True
        try:
            shift = line - round(self.scroll_y)
            if shift:  # not the line itself: scrolling at the edge of a selection counts in fractions
                self.set_reactive(SCROLL_Y, self.scroll_y + shift)
                self.set_reactive(SCROLL_TARGET_Y, float(round(self.scroll_y)))
            size = Size(self.scrollable_size.width, total)
            if size != self.virtual_size:
                self.set_reactive(VIRTUAL_SIZE, size)
                self._scroll_update(size)
            if self.show_vertical_scrollbar:
                self.vertical_scrollbar.position = self.scroll_y
        finally:
            self._moving = False

    # Drawing.

    def _prepare(self) -> None:
        """Finds out the colours, before the first message is rendered."""
        if self._places.palette is None:
            self._places.palette = Palette.of(self.app)

    def notify_style_update(self) -> None:
        """Another theme perhaps; the styles of parts are only known once all of it was taken in."""
        super().notify_style_update()
        if self.is_mounted and self._places.palette is not None:
            self.call_later(self._recolour)

    def _recolour(self) -> None:
        if not self.is_attached:
            return
        before = self._painter.base, self._painter.look
        self._restyle()
        palette = Palette.of(self.app)
        if palette != self._places.palette:
            self._places.restyle(palette)
        elif before == (self._painter.base, self._painter.look):
            return
        self._redraw()

    def _restyle(self) -> None:
        def style(name: str) -> Style:
            return self.get_component_rich_style(f"transcript--{name}", partial=True)

        self._painter.base = self.rich_style
        self._painter.look = Look(
            you=style("you"),
            model=style("model"),
            dim=style("dim"),
            state=style("state"),
            bar=style("bar"),
            hit=style("hit"),
            here=style("here"),
            citation=style("citation"),
            selection=self.screen.get_component_rich_style("screen--selection"),
        )

    def _redraw(self) -> None:
        """Draws every row again."""
        self._drawn = []
        self.refresh()

    def _refresh_changed(self) -> None:
        before, now = self._drawn, [self._line_in(row) for row in range(self._places.rows)]
        self._drawn = now
        if not self._places.stubs or len(before) != len(now):
            self.refresh()
            return
        start = None
        for row in range(len(now) + 1):
            changed = row < len(now) and not _same(before[row], now[row])
            if changed and start is None:
                start = row
            elif not changed and start is not None:
                self.refresh(Region(0, start, self.scrollable_size.width, row - start))
                start = None

    def _line_in(self, row: int) -> Line | None:
        """What a row of the view shows; None below the last message."""
        layout, look = self._places, self._painter.look
        line = self._places.line_of(self._anchor) + row
        if line >= layout.heights.total:
            return None
        index, number = layout.heights.locate(line)
        block, stub = layout.block(index), layout.stubs[index]
        if number == 0:
            source = block.head(stub, layout.width, look, self._notes.get(stub.id, ""), self._now())
        else:
            source = block.line(number, layout.width, look)
        marked = self.has_focus and stub.id == self.current and number < layout.heights[index] - 1
        return Line(block, (index, number), source, marked)

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        self._lay_out()
        if not self._places.stubs:
            return self._hint(y)
        line = self._line_in(y)
        if line is None:
            return Strip.blank(self._painter.width, self._painter.base)
        return self._painter.draw(line, self.text_selection)

    def _hint(self, row: int) -> Strip:
        text = HINT[row - 1] if 0 < row <= len(HINT) else ""
        style = self._painter.base + self._painter.look.dim
        strip = Strip([Segment(" " * GUTTER + text, style)]).crop(0, max(1, self._painter.width))
        return strip.extend_cell_length(self._painter.width, self._painter.base)

    def _forget_selection(self) -> None:
        if self in self.screen.selections:
            self.screen.clear_selection()


def _same(before: Line | None, now: Line | None) -> bool:
    if before is None or now is None:
        return before is now
    return (
        (before.source is now.source or before.source == now.source)
        and before.place == now.place
        and before.current == now.current
        and before.block is now.block
    )
