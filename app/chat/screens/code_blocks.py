"""Which of a message's code blocks is meant."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from app.chat.markdown import CodeBlock
from app.chat.screens.dialog import Dialog
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import fitted

#: Blocks that a digit reaches.
DIGITS = 9

#: Cells for the name of a language.
LANGUAGE = 10


class CodeBlocks(Dialog[CodeBlock | None]):
    """The code blocks with their first lines, numbered as in the message."""

    HEADING = "Copy which code block?"
    HINT = "1-9 or enter copy   up, down choose   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(digit), f"take({digit})", show=False) for digit in range(1, DIGITS + 1)
    ]

    DEFAULT_CSS = "CodeBlocks Rows { height: auto; max-height: 16; }"

    def __init__(self, blocks: Sequence[CodeBlock]) -> None:
        super().__init__()
        self._blocks = blocks

    def body(self) -> Iterable[Widget]:
        yield Rows()

    def on_mount(self) -> None:
        """Lists the blocks."""
        rows = self.query_one(Rows)
        rows.show([_row(block) for block in self._blocks])
        rows.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.dismiss(self._blocks[event.option_index])

    def action_take(self, number: int) -> None:
        """The block of that number, if there is one."""
        for block in self._blocks:
            if block.number == number:
                self.dismiss(block)


def _row(block: CodeBlock) -> Draw:
    lines = block.text.splitlines()
    first = next((text for text in lines if text.strip()), "")
    count = f"{len(lines):,} line{'' if len(lines) == 1 else 's'}"
    start = f"{block.number:>2}  {fitted(block.language or 'text', LANGUAGE)}  "

    def draw(width: int) -> Content:
        room = max(0, width - len(start) - len(count) - 2)
        return Content.assemble(start, (fitted(first, room), "bold"), "  ", (count, "dim"))

    return draw
