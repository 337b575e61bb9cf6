"""Chats out of the store and into it."""

from typing import Literal

from app.chat.portable.as_json import as_json
from app.chat.portable.html import as_html
from app.chat.portable.markdown import as_markdown
from app.chat.portable.read_json import read_json
from app.chat.store import Chat, Store

Kind = Literal["markdown", "json", "html"]


def export_chat(store: Store, chat: Chat | int, kind: Kind, whole_tree: bool = False) -> str:
    """A chat as a text file: the branch that is shown, or all branches. JSON always holds all of it.

    Nothing of what is in the trash is exported.
    """
    id = chat.id if isinstance(chat, Chat) else chat
    copy = store.copy_of(id)
    match kind:
        case "json":
            return as_json(copy)
        case "markdown":
            return as_markdown(copy, whole_tree)
        case "html":
            return as_html(copy, whole_tree)


def import_chats(store: Store, text: str) -> list[Chat]:
    """Adds the chats of a JSON export as new ones. Raises `Qwen2Error`, and adds none, for anything else."""
    return store.add_copies(read_json(text))
