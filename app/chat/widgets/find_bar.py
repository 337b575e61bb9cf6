"""One line in which words of the open chat are looked for."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

#: Seconds without a key before it is searched: who types fast is never held up by a search per letter.
QUIET = 0.04

HINT = "enter next  up back  esc close"


class FindBar(Horizontal):
    """Asks for words with `Asked`, shows what `tell` says was found. Hidden until `open`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", show=False),
        Binding("up,shift+tab", "step(-1)", "back", show=False),
        Binding("down", "step(1)", "next", show=False),
    ]

    DEFAULT_CSS = """
    FindBar {
        display: none;
        height: 1;
        background: $panel;
        & > Static { width: auto; height: 1; padding: 0 1; }
        & > Input { width: 1fr; background: $panel; }
        & > #found { min-width: 12; text-style: bold; }
        & > #keys { text-style: dim; }
    }
    """

    class Asked(Message):
        """Words to look for: the next time for a `step` of 1, the one before for -1, anew for 0."""

        def __init__(self, words: str, step: int) -> None:
            super().__init__()
            self.words, self.step = words, step

    class Closed(Message):
        """The reader is done with finding."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._soon: Timer | None = None
        self._asked = ""

    def compose(self) -> ComposeResult:
        yield Static("Find", markup=False)
        yield Input(placeholder="words in this chat", compact=True)
        yield Static("", id="found", markup=False)
        yield Static(HINT, id="keys", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether the bar is shown."""
        return self.display

    def open(self) -> None:
        """Shows the bar with the words of the last time, ready to be typed over."""
        self.display = True
        box = self.query_one(Input)
        box.focus()
        box.select_all()
        if box.value.strip():
            self._ask(0)

    def close(self) -> None:
        """Hides the bar and says so."""
        if self.display:
            self._stop_waiting()
            self.display = False
            self.post_message(self.Closed())

    def tell(self, which: int, of: int) -> None:
        """Says which time of how many is shown; nothing while there are no words."""
        words = self.query_one(Input).value.strip()
        found = f"{which:,} of {of:,}" if of else "not found" if words else ""
        self.query_one("#found", Static).update(found)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Searches once the typing pauses."""
        event.stop()
        self._stop_waiting()
        if self.display:
            self._soon = self.set_timer(QUIET, lambda: self._ask(0))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next time."""
        event.stop()
        self.action_step(1)

    def action_step(self, step: int) -> None:
        """The next time or the one before; words that were not looked for yet are found first."""
        words = self.query_one(Input).value
        self._ask(step if words == self._asked else 0)

    def action_close(self) -> None:
        """Closes the bar."""
        self.close()

    def _ask(self, step: int) -> None:
        self._stop_waiting()
        self._asked = self.query_one(Input).value
        self.post_message(self.Asked(self._asked, step))

    def _stop_waiting(self) -> None:
        if self._soon is not None:
            self._soon.stop()
            self._soon = None
