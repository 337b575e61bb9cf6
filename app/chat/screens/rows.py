"""A list whose rows are drawn for the width there is."""

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.strip import Strip
from textual.widgets import OptionList

#: Draws a row of so many cells; of one line or several.
Draw = Callable[[int], Content]

#: Of the chosen row. What is dim would be a patch of another shade in it.
REVERSED = Style(reverse=True, dim=False)


class Rows(OptionList):
    """Rows to choose from. The chosen one is shown reversed: that needs no colour."""

    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        border: none;
        padding: 0;
        background: $surface;
        scrollbar-size-vertical: 1;
        &:focus { border: none; background-tint: $foreground 0%; }
        & > .option-list--option { padding: 0; }
        & > .option-list--option-highlighted, &:focus > .option-list--option-highlighted {
            color: $foreground;
            background: $surface;
            text-style: none;
        }
    }
    """

    def __init__(self, *, id: str | None = None, focusable: bool = True) -> None:
        super().__init__(id=id, markup=False)
        self.can_focus = focusable
        self._draws: Sequence[Draw] = ()
        self._drawn_for = 0

    def show(self, draws: Sequence[Draw], at: int | None = 0) -> None:
        """Replaces all rows and highlights row `at`, None for none."""
        self._draws = draws
        self._fill(at)

    def on_resize(self, event: events.Resize) -> None:
        """Draws all rows again where the width has changed."""
        if self._row_width != self._drawn_for:
            self._fill(self.highlighted)

    def render_line(self, y: int) -> Strip:
        """A line of a row; the library leaves "reverse" out of the styles of its rows."""
        strip = super().render_line(y)
        first = next(iter(strip), None)
        row = first.style.meta.get("option") if first is not None and first.style is not None else None
        if row is None or row != self.highlighted:
            return strip
        return Strip(Segment.apply_style(strip, post_style=REVERSED), strip.cell_length)

    @property
    def _row_width(self) -> int:
        # The bar takes its cell whether it is there or not, else every list would be drawn twice.
        return max(1, self.size.width + int(self.show_vertical_scrollbar) - 1)

    def _fill(self, at: int | None) -> None:
        self._drawn_for = width = self._row_width
        self.set_options(draw(width) for draw in self._draws)
        self.highlighted = min(at, len(self._draws) - 1) if at is not None and self._draws else None
