"""The conversation on the screen: one widget per message."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from app.cli import clean

HINT = "Ask something below. Everything stays on this machine."


class Message(Static):
    """One message, drawn as plain text under the name of who wrote it.

    `kind` is "user", "assistant" or "error" and is the widget's style class. Text that
    arrives piece by piece is collected by `append` and drawn by `flush`, so that the price
    of drawing is paid per screen update, not per token.
    """

    def __init__(self, kind: str, author: str, text: str = "") -> None:
        self.kind = kind
        self.author = author
        self.text = clean(text)
        self.note = ""
        self._drawn = True
        super().__init__(self._content(), markup=False, classes=kind)

    def append(self, text: str) -> None:
        """Adds a piece of text, unseen until the next flush."""
        self.text += clean(text)
        self._drawn = False

    def flush(self) -> None:
        """Draws what was appended.

        Waits for the widget to be mounted: a change between its first layout and its mount
        would leave it at its old height.
        """
        if self.is_mounted and not self._drawn:
            self._drawn = True
            self.update(self._content())

    def on_mount(self) -> None:
        """Draws what came too early."""
        self.call_later(self.flush)

    def finish(self, note: str) -> None:
        """Draws the message for good, with a remark under it unless that is empty."""
        self.note = note
        self._drawn = False
        self.flush()

    def _content(self) -> Content:
        parts = [Content.styled(self.author, "bold"), Content("\n" + self.text.strip("\n"))]
        if self.note:
            parts.append(Content.styled(f"\n({self.note})" if self.text else f"({self.note})", "dim"))
        return Content("").join(parts)


class Transcript(VerticalScroll, can_focus=False):
    """All messages. Keeps its end in view while text arrives, unless the reader scrolled away.

    It takes no focus, so that a click or a selection here never takes the keys from the prompt.

    Textual's own `anchor()` does the same but pushes a short conversation down to the
    bottom edge, by scrolling to negative positions.
    """

    def __init__(self) -> None:
        super().__init__()
        self._following = True

    def compose(self) -> ComposeResult:
        yield Static(HINT, id="hint", markup=False)

    def add(self, message: Message) -> None:
        """Shows a message at the end and goes there."""
        self.query_one("#hint").display = False
        self.mount(message)
        self._following = True

    def clear(self) -> None:
        """Removes all messages."""
        self.query(Message).remove()
        self.query_one("#hint").display = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Only a reader scrolls up, and only the end makes following resume."""
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:
            self._following = True
        elif new_value < old_value:
            self._following = False

    def watch_virtual_size(self) -> None:
        """More text, or the same text in other lines."""
        self._follow()

    def on_resize(self) -> None:
        """Fewer or more lines fit."""
        self._follow()

    def _follow(self) -> None:
        if self._following:
            # Forced, because the first text that overflows comes before its scroll bar.
            self.scroll_end(animate=False, immediate=True, force=True)
