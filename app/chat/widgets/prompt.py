"""The box in which a question is written."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.actions import parse
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from app.chat.completion import Candidate, Completer
from app.chat.history import History
from app.chat.keymap import Keymap, actions_of
from app.chat.keys import bindings_of
from app.chat.widgets.prompt_menu import PromptMenu

PLACEHOLDER = "Ask something"
EDITING = "edit the message · esc leaves it as it is"


class Prompt(TextArea):
    """A text area that grows with its text; Enter hands it to `submit`.

    That is called at once and says whether the text was taken: a message would arrive after keys that
    were typed later, and a refused text has to stay. `editing` is the message that is being edited.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("prompt")]
    DEFAULT_CSS = """
    Prompt {
        height: auto;
        min-height: 3;
        max-height: 12;
        background: $background;
        border: round $border-blurred;
        scrollbar-size-vertical: 1;
        border-subtitle-color: $text-muted;
        &:focus { border: round $border; }
        & .text-area--cursor-line { background: transparent; }
    }
    """

    class EditorAsked(Message):
        """The reader wants to write the prompt in an editor."""

    class FileChosen(Message):
        """The reader wants to attach this file."""

        def __init__(self, path: str) -> None:
            self.path = path
            super().__init__()

    def __init__(
        self,
        submit: Callable[[str], bool],
        completer: Completer,
        history: History,
        document_at: Callable[[str], str | None],
        keymap: Keymap,
    ) -> None:
        """`document_at` tells the file that a pasted text names, None where it is no document."""
        super().__init__(show_line_numbers=False, soft_wrap=True, placeholder=PLACEHOLDER)
        self.editing: int | None = None
        self.menu = PromptMenu()
        self._submit, self._completer, self._history = submit, completer, history
        self._document_at = document_at
        self._actions = actions_of("prompt", keymap)
        self._kept = ""  # the draft that an edited message has replaced
        self._offered_for = ""  # the text with a pasted path for which the menu is open
        self._dismissed = ""  # the text for which the menu was closed

    # Keys are handled here and not by priority bindings, in the order in which they were typed: those
    # would overtake letters that are still in the queue.

    def on_key(self, event: events.Key) -> None:
        """Handles the keys of the table and of the menu; all others are the text area's."""
        if self._menu_key(event.key):
            pass
        elif (action := self._actions.get(event.key)) is not None:
            getattr(self, f"action_{action}")()
        elif not self._edit(event.key):
            return
        event.stop()
        event.prevent_default()

    def _edit(self, key: str) -> bool:
        """Runs what the text area binds to a key, such as backspace; False when that is nothing."""
        for binding in self._bindings.key_to_bindings.get(key, ()):
            if binding.id is None:  # those with an id are of the table, which the reader's key map may change
                _, name, arguments = parse(binding.action)
                getattr(self, f"action_{name}")(*arguments)
                return True
        return False

    def _menu_key(self, key: str) -> bool:
        """Whether the menu took this key."""
        candidate = self.menu.candidate
        if candidate is None:
            return False
        if key in ("up", "down"):
            self.menu.move(-1 if key == "up" else 1)
        elif key == "tab" or (key == "enter" and not self._is_typed(candidate)):
            self._take(candidate)
        else:
            return False
        return True

    def _is_typed(self, candidate: Candidate) -> bool:
        """Whether a candidate stands in the prompt already, so that Enter is for sending it."""
        return (
            not self._offered_for
            and not candidate.attach
            and self._before[candidate.start :] == candidate.text.rstrip()
        )

    def _take(self, candidate: Candidate) -> None:
        row, column = self.cursor_location
        self.replace(candidate.text, (row, candidate.start), (row, column))
        if candidate.attach:
            self.post_message(self.FileChosen(candidate.attach))
        if candidate.final:
            self.close_menu()

    def close_menu(self) -> bool:
        """Hides the menu until the text is another one; False when it was not open."""
        was_open = self.menu.candidate is not None
        self._dismissed, self._offered_for = self.text, ""
        self.menu.show(())
        return was_open

    @property
    def _before(self) -> str:
        """The line up to the cursor."""
        row, column = self.cursor_location
        return self.document.get_line(row)[:column]

    def on_text_area_changed(self) -> None:
        """Offers what could follow."""
        if self.text == self._offered_for:
            return
        self._offered_for = ""
        if self.text != self._dismissed:
            self._dismissed = ""
        self.menu.show([] if self._dismissed else self._offered())

    def _offered(self) -> Sequence[Candidate]:
        if self.editing is not None:
            return ()
        return self._completer.candidates(self._before, first=self.cursor_location[0] == 0)

    # Actions of the table.

    def action_send(self) -> None:
        """Sends the text unless it is blank or refused; a backslash at the end breaks the line instead."""
        if self._before.endswith("\\") and self.cursor_at_end_of_line:
            row, column = self.cursor_location
            self.replace("\n", (row, column - 1), (row, column))
            return
        if self.text.strip() and self._submit(self.text):
            self._history.forget()
            self.leave_editing() if self.editing is not None else self.write("")

    def action_newline(self) -> None:
        """Breaks the line at the cursor, in place of what is selected."""
        self.replace("\n", *self.selection)

    def action_earlier(self) -> None:
        """The line above, from the first one the prompt before."""
        if not self.navigator.is_first_wrapped_line(self.cursor_location):
            self.action_cursor_up()
        elif self.editing is None and (text := self._history.earlier(self.text)) is not None:
            self.write(text, at_end=False)

    def action_later(self) -> None:
        """The line below, from the last one the prompt after."""
        if not self.navigator.is_last_wrapped_line(self.cursor_location):
            self.action_cursor_down()
        elif self.editing is None and (text := self._history.later()) is not None:
            self.write(text)

    def action_editor(self) -> None:
        """Asks for an editor."""
        self.post_message(self.EditorAsked())

    # What others put here.

    def write(self, text: str, at_end: bool = True) -> None:
        """Replaces the text, without offering to complete it."""
        self._dismissed = text
        self.load_text(text)
        self.menu.show(())
        self.move_cursor(self.document.end if at_end else (0, len(self.document.get_line(0))))

    def edit_message(self, message: int, text: str) -> None:
        """Shows a message to be edited; what was being written comes back afterwards."""
        if self.editing is None:
            self._kept = self.text
        self.editing = message
        self.border_title = EDITING
        self.write(text)
        self.focus()

    def leave_editing(self) -> bool:
        """Goes back to what was being written; False when nothing is being edited."""
        if self.editing is None:
            return False
        self.editing, self.border_title = None, ""
        self.write(self._kept)
        return True

    @property
    def draft(self) -> str:
        """What is being written, also while a message is edited."""
        return self.text if self.editing is None else self._kept

    def on_paste(self, event: events.Paste) -> None:
        """A pasted path of a document, which is what terminals make of a dropped file, can be attached."""
        path = self._document_at(event.text) if self.editing is None else None
        if path is not None:
            self.call_later(self._offer_attaching, event.text, path)

    def _offer_attaching(self, pasted: str, path: str) -> None:
        before = self._before
        if before.endswith(pasted):
            start = len(before) - len(pasted)
            name = path.rpartition("/")[2]
            attach = Candidate(start, "", f"attach {name}", "questions are answered from it", path, True)
            keep = Candidate(start, f"{pasted} ", "keep it as text", final=True)
            self._offered_for = self.text
            self.menu.show([attach, keep])
