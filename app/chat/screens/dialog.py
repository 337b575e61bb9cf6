"""What the boxes over the chat have in common."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, ScreenResultType
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from app.chat.screens.text import line, safe
from qwen2_mlx.errors import Qwen2Error

#: Cells from which on there is room beside a list.
WIDE = 100


class Dialog(ModalScreen[ScreenResultType]):
    """A box with a heading, a line for problems and, at the bottom, a line that says its keys.

    Esc closes it with the result None.
    """

    HEADING: ClassVar[str] = ""
    HINT: ClassVar[str] = "esc close"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", show=False)]

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > #box {
            width: 90%;
            max-width: 110;
            height: auto;
            max-height: 100%;
            border: round $primary;
            background: $surface;
            padding: 0 1;
        }
        &.-narrow > #box { width: 100%; }
        .label { color: $text-muted; }
        .note { color: $text-muted; height: auto; }
        .problem { color: $text-error; height: auto; display: none; }
        .problem.-told { display: block; }
        .buttons { height: 1; align-horizontal: left; }
        .buttons > Button { margin-right: 2; min-width: 0; padding: 0 1; }
        #hint { color: $text-muted; height: 1; }
        Input, TextArea { background: $panel; }
        Button:focus { text-style: reverse; }
    }
    """

    def compose(self) -> ComposeResult:
        box = Vertical(*self.body(), Static("", id="problem", classes="problem", markup=False), self._hint())
        box.id = "box"
        box.border_title = self.HEADING
        yield box

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.width < WIDE, "-narrow")

    def _hint(self) -> Static:
        return Static(self.HINT, id="hint", markup=False)

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _keep_controls_out(self, event: Input.Changed | TextArea.Changed) -> None:
        """Takes what a paste may bring along and a terminal would obey out of the text again."""
        if isinstance(event, Input.Changed):
            if (text := safe(event.value)) != event.value:
                event.input.value = text
        elif (text := safe(event.text_area.text)) != event.text_area.text:
            event.text_area.text = text

    def body(self) -> Iterable[Widget]:
        """What stands between heading and hint."""
        return ()

    def tell(self, problem: str) -> None:
        """Says what is wrong, in a line with a sign; "" takes it away."""
        told = self.query_one("#problem", Static)
        told.update(f"! {line(problem)}" if problem else "")
        told.set_class(bool(problem), "-told")

    def attempt(self, change: Callable[[], object]) -> bool:
        """Makes a change that may be refused, and says why it was."""
        try:
            change()
        except Qwen2Error as error:
            self.tell(str(error))
            return False
        self.tell("")
        return True

    def hint(self, text: str) -> None:
        """Says other keys in the bottom line."""
        self.query_one("#hint", Static).update(text)

    def action_close(self) -> None:
        self.dismiss(None)
