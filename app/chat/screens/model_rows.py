"""How a model stands in the list: its name, then columns, or what it lacks."""

from textual.content import Content
from textual.widget import Widget

from app.chat.models.fit import tokens_text
from app.chat.models.installed import Installed
from app.chat.screens.rows import Draw
from app.chat.screens.text import fitted
from qwen2_mlx.memory.limit import size_text

COLUMNS = (("size", 8), ("bits", 5), ("trained", 8), ("longest", 8))
COLUMNS_WIDTH = sum(width + 1 for _, width in COLUMNS)


class Heads(Widget):
    """The names of the columns, over those of the list."""

    DEFAULT_CSS = "Heads { height: 1; color: $text-muted; }"

    def render(self) -> Content:
        names = "".join(f" {name.rjust(width)}" for name, width in COLUMNS)
        return Content(fitted("model", self.size.width - 1 - COLUMNS_WIDTH) + names)


def model_row(model: Installed, is_open: bool) -> Draw:
    """The row of a model; the open one has a sign."""
    sign = "• " if is_open else "  "
    tail = _tail(model)

    def draw(width: int) -> Content:
        name = fitted(model.name, width - len(tail) - len(sign))
        return Content.assemble(sign, name, (tail, "" if model.here else "dim"))

    return draw


def _tail(model: Installed) -> str:
    """The columns behind the name; of what cannot be loaded yet, the reason instead."""
    size = size_text(model.size) if model.size else ""
    if model.problem:
        return f" {size} ! broken"
    if not model.here:
        return " download"
    if model.missing:
        return f" {size} ! lacks {model.missing}"
    cells = (size, model.bits, tokens_text(model.trained), tokens_text(model.longest))
    return "".join(f" {cell.rjust(width)}" for cell, (_, width) in zip(cells, COLUMNS, strict=True))
