"""One box that finds chats: the recent ones, or whatever holds the words that are typed."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from app.chat.screens.dialog import Dialog
from app.chat.screens.preview import preview_of
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import cut, fitted, line, moment
from app.chat.store.records import Chat, Hit

if TYPE_CHECKING:
    from app.chat.store import Store

#: Seconds without a key before it is searched: who types fast is never held up by a search per letter.
QUIET = 0.04
#: Seconds on one row before its preview is read.
SETTLED = 0.06
MOST_ROWS = 50

WHO = {"user": "You", "assistant": "Qwen2", None: "title"}
TIME_WIDTH = 10
WHO_WIDTH = 5
HIT_STYLE = "bold underline"

#: The chat, the message or None for the chat's end, and the words that were searched.
Choice = tuple[int, int | None, str]


class Switcher(Dialog[Choice | None]):
    """Recent chats, or those in whose titles and messages the words are; `current` is the open one."""

    HEADING = "Chats"
    HINT = "type to search   up, down choose   enter open   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "before", show=False),
        Binding("down", "move('cursor_down')", "next", show=False),
        Binding("pageup", "move('page_up')", "page back", show=False),
        Binding("pagedown", "move('page_down')", "page on", show=False),
    ]

    DEFAULT_CSS = """
    Switcher {
        & > #box { width: 96%; max-width: 160; height: 90%; }
        &.-narrow > #box { height: 100%; }
        #found { height: 1fr; }
        #preview {
            display: none;
            width: 1fr;
            border-left: solid $primary;
            padding: 0 1;
            scrollbar-size-vertical: 1;
        }
        &.-wide #preview { display: block; }
        &.-wide Rows { width: 60; }
    }
    """

    def __init__(
        self, store: "Store", current: int | None = None, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._store, self._current, self._now = store, current, now
        self._found: Sequence[Chat | Hit] = ()
        self._words = ""  # what was searched for `_found`
        self._search_soon: Timer | None = None
        self._preview_soon: Timer | None = None

    def body(self) -> Iterable[Widget]:
        yield Input(placeholder="Search titles and messages", compact=True)
        preview = VerticalScroll(Static(id="text", markup=False), id="preview", can_focus=False)
        yield Horizontal(Rows(focusable=False), preview, id="found")
        yield Static(id="count", classes="note", markup=False)

    def on_mount(self) -> None:
        self._search()

    def on_input_changed(self) -> None:
        if self._search_soon is not None:
            self._search_soon.stop()
        self._search_soon = self.set_timer(QUIET, self._search)

    def on_input_submitted(self) -> None:
        """Opens what is highlighted, of a search for what stands in the box now."""
        if self.query_one(Input).value.strip() != self._words:
            self._search()
        self._open(self.query_one(Rows).highlighted)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._open(event.option_index)

    def on_option_list_option_highlighted(self) -> None:
        if self._preview_soon is not None:
            self._preview_soon.stop()
        self._preview_soon = self.set_timer(SETTLED, self._show_preview)

    def action_move(self, way: str) -> None:
        getattr(self.query_one(Rows), f"action_{way}")()

    def _open(self, index: int | None) -> None:
        if index is None or index >= len(self._found):
            return
        match self._found[index]:
            case Chat(id=chat):
                self.dismiss((chat, None, self._words))
            case Hit(chat=chat, message=message):
                self.dismiss((chat, message, self._words))

    def _search(self) -> None:
        if not self.is_current:  # closed while the timer ran
            return
        self._words = words = self.query_one(Input).value.strip()
        at = 0
        if words:
            self._found = self._store.search(words, limit=MOST_ROWS)
            draws = [self._hit_row(hit) for hit in self._found]
        else:
            self._found = self._store.chats(limit=MOST_ROWS)
            draws = [self._chat_row(chat) for chat in self._found]
            # Enter at once goes back to the chat before this one.
            at = int(len(self._found) > 1 and self._found[0].id == self._current)
        self.query_one(Rows).show(draws, at)
        self.query_one("#count", Static).update(self._count())
        if not self._found:
            self.query_one("#text", Static).update("")

    def _count(self) -> str:
        if not self._found:
            return "nothing found; fewer or shorter words find more" if self._words else "no chats yet"
        if len(self._found) == MOST_ROWS:
            return f"the {MOST_ROWS} newest; more words find fewer"
        return f"{len(self._found)} found" if self._words else ""

    def _chat_row(self, chat: Chat) -> Draw:
        sign = "• " if chat.id == self._current else "  "
        when = moment(chat.updated, self._now())

        def draw(width: int) -> Content:
            title = fitted(line(chat.title) or "untitled", width - len(sign) - TIME_WIDTH - 1)
            return Content.assemble(sign, title, " ", (when.rjust(TIME_WIDTH), "dim"))

        return draw

    def _hit_row(self, hit: Hit) -> Draw:
        """A message with its chat and the words that were found, or a title with those in it."""
        who, when = WHO[hit.role], moment(hit.created, self._now())
        tail = (f" {who.ljust(WHO_WIDTH)} {when.rjust(TIME_WIDTH)}", "dim")

        def draw_title(width: int) -> Content:
            title = cut(marked(hit.snippet), width - WHO_WIDTH - TIME_WIDTH - 2)
            return Content.assemble(title, tail)

        def draw(width: int) -> Content:
            title = fitted(line(hit.title) or "untitled", width - WHO_WIDTH - TIME_WIDTH - 2)
            return Content("\n").join(
                [Content.assemble(title, tail), cut(Content("  ") + marked(hit.snippet), width)]
            )

        return draw_title if hit.message is None else draw

    def _show_preview(self) -> None:
        if not self.is_current or not self.has_class("-wide"):
            return
        index = self.query_one(Rows).highlighted
        if index is None or index >= len(self._found):
            return
        self.query_one("#text", Static).update(preview_of(self._store, self._found[index], self._words))
        self.query_one("#preview").scroll_home(animate=False)


def marked(snippet: str) -> Content:
    """A snippet of the store as one line, the words that were found in a style of their own."""
    parts: list[tuple[str, str]] = []
    style = ""
    for piece in line(snippet).replace("\ue001", "\ue000\ue001").split("\ue000"):
        style = "" if piece.startswith("\ue001") else HIT_STYLE if parts else ""
        parts.append((piece.removeprefix("\ue001"), style))
    return Content.assemble(*parts)
