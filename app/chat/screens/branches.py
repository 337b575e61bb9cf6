"""The branches of a chat as a tree: every message by its first line, indented where versions part."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from app.chat.screens.dialog import Dialog
from app.chat.screens.text import fitted, line

if TYPE_CHECKING:
    from app.chat.store import Node, Store

#: Cells of one level, and levels beyond which the tree gets no deeper to the eye.
INDENT, DEEPEST = 2, 12

CHOSEN = Style(reverse=True)
SHOWN, ELSEWHERE = "●", "○"
WHO = {"user": "You", "assistant": "Qwen2"}


class Branches(Dialog["int | None"]):
    """The result is the message whose branch is to be shown. `head` is where the chat stands."""

    HEADING = "Branches of this chat"
    HINT = f"up, down choose   enter go there   {SHOWN} the branch that is shown   esc close"

    DEFAULT_CSS = """
    Branches {
        & > #box { width: 96%; max-width: 140; height: 90%; }
        &.-narrow > #box { height: 100%; }
    }
    """

    def __init__(self, store: "Store", chat: int, head: int | None = None) -> None:
        super().__init__()
        self._store, self._chat, self._head = store, chat, head

    def body(self) -> Iterable[Widget]:
        yield BranchTree(self._store.tree(self._chat), self._head)

    def on_mount(self) -> None:
        """The keys go to the tree."""
        self.query_one(BranchTree).focus()

    def on_branch_tree_chosen(self, event: "BranchTree.Chosen") -> None:
        """Goes to the branch."""
        self.dismiss(event.message)


class BranchTree(ScrollView, can_focus=True, inherit_bindings=False):
    """The messages of a chat, one to a line; draws the lines in view, so that thousands cost nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "next", show=False),
        Binding("up,k", "move(-1)", "before", show=False),
        Binding("pagedown,space", "page(1)", "page on", show=False),
        Binding("pageup", "page(-1)", "page back", show=False),
        Binding("home,g", "move(-1000000000)", "first", show=False),
        Binding("end,G", "move(1000000000)", "last", show=False),
        Binding("enter", "choose", "go there", show=False),
    ]

    DEFAULT_CSS = "BranchTree { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    class Chosen(Message):
        """A message was chosen."""

        def __init__(self, message: int) -> None:
            super().__init__()
            self.message = message

    def __init__(self, nodes: "Sequence[Node]", head: int | None) -> None:
        super().__init__()
        self._messages = nodes
        self._head = head
        self.cursor = next((row for row, node in enumerate(nodes) if node.id == head), 0)

    def on_mount(self) -> None:
        """As many lines as there are messages."""
        self.virtual_size = Size(0, len(self._messages))

    def on_resize(self, event: events.Resize) -> None:
        """Keeps the chosen line in view."""
        self._show_cursor()

    def go_to(self, row: int) -> None:
        """Chooses another line, the first or last for one beyond the ends."""
        before, self.cursor = self.cursor, max(0, min(row, len(self._messages) - 1))
        self.refresh_line(before)
        self.refresh_line(self.cursor)
        self._show_cursor()

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, immediate=True)

    def action_move(self, lines: int) -> None:
        """So many lines on."""
        self.go_to(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """So many pages on."""
        self.go_to(self.cursor + pages * max(1, self.scrollable_size.height - 1))

    def action_choose(self) -> None:
        """Takes the chosen message."""
        if self._messages:
            self.post_message(self.Chosen(self._messages[self.cursor].id))

    def on_click(self, event: events.Click) -> None:
        """A click chooses, a second one takes."""
        row = event.y + self.scroll_offset.y
        if row >= len(self._messages):
            return
        self.go_to(row)
        if event.chain > 1:
            self.action_choose()

    def render_line(self, y: int) -> Strip:
        """One message of the list."""
        width = self.scrollable_size.width
        row = y + self.scroll_offset.y
        base = self.rich_style
        if row >= len(self._messages):
            return Strip.blank(width, base)
        look = base + CHOSEN if row == self.cursor else base
        return Strip([Segment(self._text(self._messages[row], width), look)], width)

    def _text(self, node: "Node", width: int) -> str:
        left = " " * (INDENT * min(node.level, DEEPEST))
        versions = f" {node.sibling}/{node.siblings}" if node.siblings > 1 else ""
        left += f"{SHOWN if node.shown else ELSEWHERE} {WHO[node.role]}{versions}  "
        right = "" if node.state == "complete" else f" · {node.state}"
        if node.id == self._head:
            right += " · here"
        room = max(0, width - cell_len(left) - cell_len(right))
        return set_cell_size(left + fitted(line(node.line), room) + right, width)
