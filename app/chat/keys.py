"""Every key of the chat in one table: bindings, help, footer, docs and user key maps come from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

#: "app" works everywhere, "prompt" and "transcript" where the focus is there.
Where = Literal["app", "prompt", "transcript", "documents"]


@dataclass(frozen=True)
class Key:
    """One action. `id` is the name by which the settings remap it, `keys` are Textual's, comma-separated.

    `action` is that of the widget or screen of `where`. `shown` puts it into the footer.
    """

    id: str
    keys: str
    where: Where
    action: str
    label: str
    help: str
    shown: bool = False


KEYS: tuple[Key, ...] = (
    Key("prompt.send", "enter", "prompt", "send", "send", "Send the prompt", True),
    Key("prompt.newline", "ctrl+j,shift+enter", "prompt", "newline", "newline",
        "Begin a new line (so does a backslash before Enter)", True),
    Key("prompt.earlier", "up", "prompt", "earlier", "earlier", "On the first line: the prompt before this"),
    Key("prompt.later", "down", "prompt", "later", "later", "On the last line: the prompt after this"),
    Key("prompt.editor", "f4", "prompt", "editor", "editor", "Write the prompt in $EDITOR"),
    Key("stop", "escape", "app", "escape", "stop",
        "Close what is open, else stop the answer, else change between prompt and transcript", True),
    Key("chat.new", "ctrl+n", "app", "new_chat", "new", "Begin a new chat"),
    Key("chat.switch", "ctrl+o", "app", "switch_chat", "chats", "Open or search chats", True),
    Key("find", "ctrl+f", "app", "find", "find", "Find in this chat"),
    Key("answer.retry", "ctrl+r", "app", "retry", "retry", "Answer the last question again, beside the old"),
    Key("chat.settings", "ctrl+t", "app", "chat_settings", "settings", "Settings of this chat"),
    Key("documents", "ctrl+g", "app", "documents", "document", "Show or hide the documents", True),
    Key("chat.list", "ctrl+l", "app", "toggle_list", "list", "Show or hide the list of chats"),
    Key("chat.export", "ctrl+s", "app", "export", "export", "Export this chat"),
    Key("palette", "ctrl+p", "app", "command_palette", "all commands", "All commands", True),
    Key("help", "f1", "app", "help", "help", "This help"),
    Key("models", "f2", "app", "models", "models", "Choose, download or unload a model"),
    Key("copy", "ctrl+c,super+c", "app", "copy_or_stop", "copy",
        "Copy the selection; with none, stop the answer; twice when idle, quit"),
    Key("quit", "ctrl+q", "app", "quit", "quit", "Quit; an answer that is being written is kept"),
    Key("transcript.next", "j,down", "transcript", "next", "next", "The next message"),
    Key("transcript.previous", "k,up", "transcript", "previous", "previous", "The message before"),
    Key("transcript.first", "g,home", "transcript", "first", "first", "The first message"),
    Key("transcript.last", "G,end", "transcript", "last", "last", "The last message; follow what is written"),
    Key("transcript.page", "space,pagedown", "transcript", "page_down", "page", "A page on"),
    Key("transcript.back", "pageup", "transcript", "page_up", "back", "A page back"),
    Key("sibling.previous", "left_square_bracket", "transcript", "sibling(-1)", "other",
        "The version of this message before"),
    Key("sibling.next", "right_square_bracket", "transcript", "sibling(1)", "other",
        "The next version of this message"),
    Key("message.edit", "e", "transcript", "edit", "edit", "Edit as a new branch"),
    Key("message.retry", "r", "transcript", "retry", "retry", "Answer again, beside the old answer"),
    Key("message.continue", "c", "transcript", "resume", "continue", "Go on with a stopped answer"),
    Key("message.copy", "y", "transcript", "copy", "copy", "Copy the message"),
    Key("code.copy", "Y", "transcript", "copy_code", "copy code", "Copy a code block of the message"),
    Key("citation.open", "o", "transcript", "open_citation", "citation", "Open a citation at its page"),
    Key("message.delete", "d", "transcript", "delete", "delete", "Delete the message and what follows"),
    Key("undo", "u", "transcript", "undo", "undo", "Undo the last deletion"),
    Key("branches", "b", "transcript", "branches", "branches", "The branches of this chat as a tree"),
    Key("message.fold", "enter", "transcript", "fold", "fold", "Fold or unfold the message"),
    Key("documents.next", "right", "documents", "next_cell", "on", "The next part of the document"),
    Key("documents.previous", "left", "documents", "previous_cell", "back", "The part before"),
    Key("documents.open", "enter", "documents", "open_page", "open", "Read the page"),
    Key("documents.next_citation", "n", "documents", "next_citation", "next citation", "The next citation"),
    Key("documents.previous_citation", "p", "documents", "previous_citation", "citation before",
        "The citation before"),
)  # fmt: skip


def keys_of(where: Where) -> Iterable[Key]:
    """The keys of one place, in the order of the table."""
    return (key for key in KEYS if key.where == where)


def bindings_of(where: Where, priority: bool = False) -> list[Binding]:
    """The keys of one place as Textual wants them."""
    return [
        Binding(
            key.keys, key.action, key.label, show=key.shown, priority=priority, tooltip=key.help, id=key.id
        )
        for key in keys_of(where)
    ]
