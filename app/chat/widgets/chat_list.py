"""The chats beside the conversation."""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from app.chat.screens.text import fitted, line
from app.chat.store.records import Chat

DAY = 24 * 3600.0
PAGE = 200  # rows that are read and drawn at a time
TOGETHER = 0.05  # seconds within which changes are drawn together
NEAR_END = 20  # rows from the end at which more are read

#: Reads chats: the words they must hold, how many to leave out, how many to return, archived ones.
Read = Callable[[str, int, int, bool], Sequence[Chat]]


def group_of(chat: Chat, now: float) -> str:
    """Under which heading a chat stands."""
    if chat.pinned:
        return "Pinned"
    midnight = time.mktime((*time.localtime(now)[:3], 0, 0, 0, 0, 0, -1))
    if chat.updated >= midnight:
        return "Today"
    return "Yesterday" if chat.updated >= midnight - DAY else "Older"


class ChatRows(OptionList):
    """The rows of the list. The chosen one is reversed, the open one marked: both need no colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d,delete", "remove", "delete", show=False),
        Binding("u", "bring_back", "undo", show=False),
    ]
    DEFAULT_CSS = """
    ChatRows {
        height: 1fr;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: none; background-tint: $foreground 0%; }
        & > .option-list--option { padding: 0; }
        & > .option-list--option-disabled { color: $text-muted; text-style: bold; }
        & > .option-list--option-highlighted { color: $foreground; background: transparent; }
        &:focus > .option-list--option-highlighted { color: $foreground; text-style: reverse; }
    }
    """

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(markup=False)
        self._now = now
        self._group = ""
        self._current: int | None = None
        self._drawn_for = 0

    def restart(self, current: int | None) -> None:
        """Empties the list; `current` is the open chat."""
        self._group, self._current, self._drawn_for = "", current, self.size.width
        self.clear_options()

    def extend(self, chats: Sequence[Chat]) -> None:
        """Adds rows at the end, a heading where another group begins."""
        options: list[Option] = []
        for chat in chats:
            if (group := group_of(chat, self._now())) != self._group:
                self._group = group
                options.append(Option(group, disabled=True))
            options.append(Option(self._row(chat), id=str(chat.id)))
        self.add_options(options)

    def _row(self, chat: Chat) -> Content:
        title = line(chat.title) or ("draft: " + line(chat.draft) if chat.draft.strip() else "untitled")
        width = max(8, self.size.width - 1)
        mark = "> " if chat.id == self._current else "  "
        return Content.assemble(mark, (fitted(title, width - 2), "bold" if mark == "> " else ""))

    @property
    def chosen(self) -> int | None:
        """The highlighted chat."""
        if self.highlighted is None or (id := self.get_option_at_index(self.highlighted).id) is None:
            return None
        return int(id)

    def on_resize(self) -> None:
        """Rows are as wide as they were drawn."""
        if self.size.width != self._drawn_for:
            self.post_message(ChatList.Narrowed())

    def action_remove(self) -> None:
        if (chat := self.chosen) is not None:
            self.post_message(ChatList.Deleted(chat))

    def action_bring_back(self) -> None:
        self.post_message(ChatList.BroughtBack())


class ChatList(Vertical):
    """A filter box over the chats, the last touched first. Rows are read as they are scrolled to."""

    DEFAULT_CSS = """
    ChatList {
        width: 26;
        border-right: solid $panel;
        & > Input { background: transparent; }
        & > #none { color: $text-muted; padding: 0 1; display: none; }
    }
    """

    class Opened(Message):
        """The reader wants to see this chat."""

        def __init__(self, chat: int) -> None:
            self.chat = chat
            super().__init__()

    class Deleted(Message):
        """The reader wants to be rid of this chat."""

        def __init__(self, chat: int) -> None:
            self.chat = chat
            super().__init__()

    class Narrowed(Message):
        """The rows have another width now."""

    class BroughtBack(Message):
        """The reader wants the chat back that was deleted last."""

    def __init__(self, read: Read, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._read = read
        self._rows = ChatRows(now)
        self._count = 0
        self._all_read = False
        self._soon: Timer | None = None
        self.archived = False
        self.current: int | None = None

    def compose(self) -> ComposeResult:
        yield Input(placeholder="/ filter", compact=True)
        yield Static("no chats", id="none", markup=False)
        yield self._rows

    def refill(self, current: int | None) -> None:
        """The chats have changed; what cannot be seen is read when it is shown."""
        self.current = current
        if self._soon is None and self._rows.size.width:
            self._soon = self.set_timer(TOGETHER, self._fill)

    def _fill(self) -> None:
        chosen, scroll = self._rows.chosen, self._rows.scroll_y
        if self._soon is not None:
            self._soon.stop()
            self._soon = None
        self._all_read, self._count = False, 0
        self._rows.restart(self.current)
        self._more()
        if chosen is not None and str(chosen) in self._rows._id_to_option:
            self._rows.highlighted = self._rows.get_option_index(str(chosen))
        self._rows.scroll_to(y=scroll, animate=False)
        self.query_one("#none").display = not self._count

    def _more(self) -> None:
        chats = self._read(self.query_one(Input).value, self._count, PAGE, self.archived)
        self._count += len(chats)
        self._all_read = len(chats) < PAGE
        self._rows.extend(chats)

    def on_chat_list_narrowed(self) -> None:
        self._fill()

    def on_input_changed(self) -> None:
        self._fill()

    def on_input_submitted(self) -> None:
        """Enter in the filter goes to the rows."""
        self._rows.focus()
        self._rows.action_first()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if not self._all_read and event.option_index >= self._rows.option_count - NEAR_END:
            self._more()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id is not None:
            self.post_message(self.Opened(int(event.option.id)))

    def show_archived(self, archived: bool) -> None:
        """Lists the archived chats, or the others."""
        self.archived = archived
        self.query_one(Input).placeholder = "/ filter archived" if archived else "/ filter"
        self._fill()

    def focus_filter(self) -> None:
        """Goes to the filter box."""
        self.query_one(Input).focus()
