"""Choosing a file or folder to attach, by a few letters of its name."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from app.chat.documents.picking import Walk, best, is_path, matches
from app.chat.screens.dialog import Dialog
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import cut, line

__all__ = ["Attach", "matches"]

MOST_ROWS = 50

#: Seconds of walking at a time, and between two times.
_STEP, _PAUSE = 0.01, 0.03


class Attach(Dialog[str | None]):
    """Files and folders below `folder`, or where a typed path leads; the result is the name to attach."""

    HEADING = "Attach a document"
    HINT = "type a part of the name   up, down choose   tab into a folder   enter attach   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "before", show=False),
        Binding("down", "move('cursor_down')", "next", show=False),
        Binding("pageup", "move('page_up')", "page back", show=False),
        Binding("pagedown", "move('page_down')", "page on", show=False),
        Binding("tab", "complete", "complete", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    Attach {
        & > #box { height: 80%; }
        &.-narrow > #box { height: 100%; }
    }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._walk = Walk(folder)
        self._found: list[Path] = []

    def body(self) -> Iterable[Widget]:
        yield Input(placeholder="part of a name, or a path: ~/papers/report.pdf, docs/*.pdf", compact=True)
        yield Rows(focusable=False)
        yield Static(id="count", classes="note", markup=False)

    def on_mount(self) -> None:
        self._walk.more(_STEP)
        self._fill()
        self._walking = self.set_interval(_PAUSE, self._walk_on)

    def on_input_changed(self) -> None:
        self._fill()

    def on_input_submitted(self) -> None:
        self._choose(self.query_one(Rows).highlighted)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_index)

    def action_move(self, way: str) -> None:
        getattr(self.query_one(Rows), f"action_{way}")()

    def action_complete(self) -> None:
        """Puts the path of the marked row into the box; a folder's so that its entries are listed."""
        at = self.query_one(Rows).highlighted
        if at is None or at >= len(self._found):
            return
        path = self._found[at]
        box = self.query_one(Input)
        name = _name(path)
        if (self._folder / path).is_dir():
            name = f"{name}/" if is_path(name) else f"./{name}/"
        box.value = name
        box.cursor_position = len(box.value)

    def _choose(self, at: int | None) -> None:
        typed = self.query_one(Input).value.strip()
        if at is not None and at < len(self._found):
            self.dismiss(_name(self._folder / self._found[at]))
        elif typed:
            self.dismiss(typed)  # a pattern, or a path that is refused with a reason
        else:
            self.tell("type a part of a name")

    def _walk_on(self) -> None:
        """A little more of the tree, and what of it fits."""
        known = len(self._walk.found)
        if not self._walk.more(_STEP):
            self._walking.stop()
        if len(self._walk.found) > known or self._walk.done:
            self._fill()

    def _fill(self) -> None:
        typed = self.query_one(Input).value.strip()
        if is_path(typed):
            found = matches(self._folder, typed, MOST_ROWS)
        else:
            found = best(self._walk.found, typed, MOST_ROWS)
        if found != self._found or not found:
            rows, before = self.query_one(Rows), self._found
            at = rows.highlighted if found[: len(before)] == before else 0
            self._found = found
            rows.show([_row(path, (self._folder / path).is_dir()) for path in found], at or 0)
        self.query_one("#count", Static).update(self._count(typed))

    def _count(self, typed: str) -> str:
        if not self._found:
            if not self._walk.done and not is_path(typed):
                return "looking"
            return "no such file; enter tries the name as it stands" if typed else "this folder is empty"
        if len(self._found) == MOST_ROWS:
            return f"the best {MOST_ROWS}; more letters find fewer"
        return f"{len(self._found)} found"


def _name(path: Path) -> str:
    """A path as a name that means this path and nothing else."""
    return f"./{path}" if str(path).startswith("~") else str(path)


def _row(path: Path, folder: bool) -> Draw:
    name, parent = line(path.name), line(str(path.parent))

    def draw(width: int) -> Content:
        shown = Content.assemble((f"{name}/" if folder else name, "bold" if folder else ""))
        if parent != ".":
            shown += Content.styled(f"  {parent}", "dim")
        return cut(shown, width)

    return draw
