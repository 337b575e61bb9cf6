"""The line over the conversation: what it is called, what answers, how full its context is."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from app.chat.models.fit import tokens_text
from app.chat.screens.text import fitted, line

METER = 10  # cells of the bar at its widest
WIDE = 60  # cells from which the bar is drawn
UNNAMED = "new chat"


class ContextBar(Static):
    """Title, model and context meter in one line, the title cut where there is no room.

    `used` and `limit` are in tokens, 0 where they are not known.
    """

    DEFAULT_CSS = """
    ContextBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
        text-wrap: nowrap;
    }
    """

    title: reactive[str] = reactive("")
    model: reactive[str] = reactive("")
    used: reactive[int] = reactive(0)
    limit: reactive[int] = reactive(0)

    def __init__(self) -> None:
        super().__init__(markup=False)

    def render(self) -> Content:
        width = self.size.width
        meter = self._meter(METER if width >= WIDE else 0)
        tail = " · ".join(part for part in (line(self.model), meter) if part)
        room = max(0, width - len(tail) - 3)
        title = line(self.title) or UNNAMED
        shown = title if len(title) <= room else fitted(title, room).rstrip()
        return Content.assemble((shown, "bold"), " · " if shown and tail else "", tail)

    def _meter(self, cells: int) -> str:
        """Such as 41K/128K ===------- 32%."""
        if not self.limit:
            return f"{tokens_text(self.used)} tokens" if self.used else ""
        share = min(1.0, self.used / self.limit)
        filled = round(share * cells)
        bar = f" {'=' * filled}{'-' * (cells - filled)}" if cells else ""
        return f"{tokens_text(self.used)}/{tokens_text(self.limit)}{bar} {share:.0%}"
