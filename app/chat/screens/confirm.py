"""A question before something cannot be taken back."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Static

from app.chat.screens.dialog import Dialog
from app.chat.screens.text import line


class Confirm(Dialog[bool]):
    """Asks `question`; `verb` names what yes does. Esc, and Enter at the start, mean no."""

    HEADING = "Sure?"
    HINT = "y yes   n, esc no   tab the other button"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", show=False),
        Binding("n", "answer(False)", "no", show=False),
        Binding("left,right", "app.focus_next", "other", show=False),
    ]

    DEFAULT_CSS = "Confirm > #box { width: 60; max-width: 100%; }"

    def __init__(self, question: str, verb: str = "Yes") -> None:
        super().__init__()
        self._question, self._verb = line(question), verb

    def body(self) -> Iterable[Widget]:
        yield Static(self._question, markup=False)
        yield Horizontal(
            Button("No", id="no", compact=True),
            Button(self._verb, id="yes", variant="error", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_answer(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_close(self) -> None:
        self.dismiss(False)
