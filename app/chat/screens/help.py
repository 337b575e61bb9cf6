"""All keys and commands, made from the tables that also make them work."""

from collections.abc import Iterable
from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from app.chat.keymap import Keymap, key_text
from app.chat.keys import Where, keys_of
from app.chat.screens.dialog import Dialog
from app.chat.screens.text import line
from app.chat.slash import COMMANDS
from app.chat.store.records import Template

PLACES: dict[Where, str] = {
    "app": "Everywhere",
    "prompt": "In the prompt",
    "transcript": "In the transcript",
    "documents": "In the documents",
}
MOST_WIDTH = 28  # of the column of keys


class Help(Dialog[None]):
    """Keys by place, with what the reader has set, then commands and the reader's templates."""

    HEADING = "Help"
    HINT = "up, down, page up, page down scroll   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,q", "close", "close", show=False),
        Binding("up,k", "scroll('scroll_up')", "up", show=False),
        Binding("down,j", "scroll('scroll_down')", "down", show=False),
        Binding("pageup", "scroll('scroll_page_up')", "page up", show=False),
        Binding("pagedown,space", "scroll('scroll_page_down')", "page down", show=False),
        Binding("home", "scroll('scroll_home')", "start", show=False),
        Binding("end", "scroll('scroll_end')", "end", show=False),
    ]
    DEFAULT_CSS = """
    Help {
        & > #box { height: 90%; }
        &.-narrow > #box { height: 100%; }
        #all { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    }
    """

    def __init__(self, keymap: Keymap, templates: Iterable[Template] = ()) -> None:
        super().__init__()
        self._keymap, self._templates = keymap, tuple(templates)

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(Static(id="text", markup=False), id="all")

    def on_mount(self) -> None:
        self.call_after_refresh(self._draw)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        """Breaks the lines anew for the width there is."""
        width = self.query_one("#all").scrollable_content_region.width
        self.query_one("#text", Static).update(help_text(self._keymap, self._templates, width))

    def action_scroll(self, way: str) -> None:
        getattr(self.query_one("#all"), way)(animate=False)


def help_text(keymap: Keymap, templates: Iterable[Template] = (), width: int = 100) -> Content:
    """The whole help in lines of `width`. The ids in brackets are what the settings call the keys."""
    parts: list[Content] = []
    for where, heading in PLACES.items():
        rows = [(key_text(key, keymap), f"{key.help} [{key.id}]") for key in keys_of(where)]
        parts.append(_section(heading, rows, width))
    commands = [(each.label, each.help) for each in COMMANDS]
    parts.append(_section("Commands, typed in the prompt", commands, width))
    if own := [(f"/{each.slug}", line(each.title or each.body)) for each in templates]:
        parts.append(_section("Your templates", own, width))
    return Content("\n\n").join(parts)


def _section(heading: str, rows: list[tuple[str, str]], width: int) -> Content:
    indent = min(MOST_WIDTH, max(len(left) for left, _ in rows)) + 4
    lines = [Content.styled(heading, "bold")]
    for left, right in rows:
        first, *more = wrap(right, max(20, width - indent)) or [""]
        lines.append(Content.assemble((f"  {left:<{indent - 2}}", "bold"), first))
        lines += [Content(" " * indent + rest) for rest in more]
    return Content("\n").join(lines)
