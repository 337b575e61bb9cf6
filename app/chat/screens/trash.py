"""Deleted chats and messages: back again, or gone for good."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static

from app.chat.screens.confirm import Confirm
from app.chat.screens.dialog import Dialog
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import fitted, line, moment
from app.chat.store.records import Chat, Message

if TYPE_CHECKING:
    from app.chat.store import Store

KIND_WIDTH = 9
TIME_WIDTH = 10


class Trash(Dialog[bool]):
    """What was deleted, newest first. The result is whether anything was put back or purged."""

    HEADING = "Trash"
    HINT = "r, enter restore   x delete for good   e empty the trash   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "restore", "restore", show=False),
        Binding("x,delete", "purge", "delete for good", show=False),
        Binding("e", "empty", "empty", show=False),
    ]

    DEFAULT_CSS = """
    Trash {
        & > #box { height: 80%; }
        &.-narrow > #box { height: 100%; }
    }
    """

    def __init__(self, store: "Store", now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._store, self._now = store, now
        self._items: Sequence[Chat | Message] = ()
        self._changed = False

    def body(self) -> Iterable[Widget]:
        yield Rows()
        yield Static(id="empty", classes="note", markup=False)
        yield Horizontal(
            Button("Restore", id="restore", compact=True),
            Button("Delete for good", id="purge", compact=True),
            Button("Empty the trash", id="all", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._refill(0)

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        self.action_restore()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        actions = {"restore": self.action_restore, "purge": self.action_purge, "all": self.action_empty}
        actions[str(event.button.id)]()

    def action_close(self) -> None:
        self.dismiss(self._changed)

    def action_restore(self) -> None:
        if (item := self._highlighted) is not None:
            restore = self._store.restore_chat if isinstance(item, Chat) else self._store.restore_message
            self._do(lambda: restore(item.id))

    def action_purge(self) -> None:
        if (item := self._highlighted) is None:
            return
        question = f"Delete {_kind(item)} “{fitted(_text(item), 40).rstrip()}” for good? It cannot be undone."

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(lambda: self._store.purge([item]))

        self.app.push_screen(Confirm(question, "Delete for good"), answered)

    def action_empty(self) -> None:
        if not self._items:
            return
        count = len(self._items)
        what = "the one thing" if count == 1 else f"all {count} things"

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(lambda: self._store.purge(self._items))

        self.app.push_screen(Confirm(f"Delete {what} in the trash for good?", "Empty the trash"), answered)

    @property
    def _highlighted(self) -> Chat | Message | None:
        index = self.query_one(Rows).highlighted
        return None if index is None or index >= len(self._items) else self._items[index]

    def _do(self, change: Callable[[], object]) -> None:
        self._changed |= self.attempt(change)
        self._refill(self.query_one(Rows).highlighted)

    def _refill(self, at: int | None) -> None:
        self._items = self._store.trash()
        self.query_one(Rows).show([self._row(item) for item in self._items], at or 0)
        self.query_one("#empty", Static).update("" if self._items else "the trash is empty")
        for button in self.query(Button):
            button.disabled = not self._items
        self.query_one(Rows).focus()

    def _row(self, item: Chat | Message) -> Draw:
        when = moment(item.deleted or 0.0, self._now())

        def draw(width: int) -> Content:
            text = fitted(_text(item), width - KIND_WIDTH - TIME_WIDTH - 1)
            return Content.assemble(
                (_kind(item).ljust(KIND_WIDTH), "dim"), text, " ", (when.rjust(TIME_WIDTH), "dim")
            )

        return draw


def _kind(item: Chat | Message) -> str:
    if isinstance(item, Chat):
        return "chat"
    return "question" if item.role == "user" else "answer"


def _text(item: Chat | Message) -> str:
    if isinstance(item, Chat):
        return line(item.title) or "untitled"
    return line(item.content) or "(empty)"
