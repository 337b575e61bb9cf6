"""The box in which a question is written."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class Prompt(TextArea):
    """A text area that grows with its text; Enter sends it.

    One question at a time: sending makes the box `busy`, and whoever answers sets it free.
    """

    # Shown in the footer. The keys themselves are handled in on_key, in the order in which
    # they were typed: a priority binding would overtake letters that are still in the queue.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="prompt.send"),
        # Ctrl+J is a line feed, so it arrives in every terminal; Shift+Enter only in some.
        Binding("ctrl+j,shift+enter", "newline", "New line", id="prompt.newline"),
    ]

    class Sent(Message):
        """The reader asked this."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Refused(Message):
        """The reader asked while an answer was being written; the text stays in the box."""

    def __init__(self) -> None:
        super().__init__(show_line_numbers=False, soft_wrap=True, placeholder="Ask something")
        self.busy = False

    def on_key(self, event: events.Key) -> None:
        """Enter sends where a text area would break the line."""
        newline = self.action_newline
        actions = {"enter": self.action_send, "ctrl+j": newline, "shift+enter": newline}
        if event.key in actions:
            event.stop()
            event.prevent_default()
            actions[event.key]()

    def action_send(self) -> None:
        """Sends the text unless there is none, or an answer is still being written."""
        text = self.text.strip()
        if not text:
            return
        if self.busy:
            self.post_message(self.Refused())
            return
        self.busy = True
        self.clear()
        self.post_message(self.Sent(text))

    def action_newline(self) -> None:
        """Breaks the line at the cursor, in place of what is selected."""
        self.replace("\n", *self.selection)
