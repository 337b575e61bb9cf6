"""What stands in a chat, in short: around the words that were searched, or at its end."""

from typing import TYPE_CHECKING

from textual.content import Content

from app.chat.screens.text import line, safe
from app.chat.store.records import Chat, Hit, Message
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.chat.store import Store

#: Characters before the first word that was found, and in all.
BEFORE = 400
LONGEST = 3000
#: Of a chat: so many of its last messages, each so many characters.
LAST_MESSAGES = 4
SHORT = 600

NAMES = {"user": "You", "assistant": "Qwen2"}


def preview_of(store: "Store", found: Chat | Hit, words: str) -> Content:
    """A text for the pane beside the list; says so where the message is gone."""
    try:
        if isinstance(found, Hit) and found.message is not None:
            return _around(store.message(found.message), words)
        chat = store.chat(found.chat if isinstance(found, Hit) else found.id)
        return _end_of(store, chat)
    except Qwen2Error:  # deleted by another window
        return Content("no longer there")


def _around(message: Message, words: str) -> Content:
    """The message from a little before the first of the words, all of them marked."""
    from app.chat.store.query import read_query

    text, query = safe(message.content), read_query(words)
    found = query.words.search(text) if query else None
    start = max(0, found.start() - BEFORE) if found else 0
    shown = Content(("… " if start else "") + text[start : start + LONGEST])
    if query is not None:
        shown = shown.highlight_regex(query.words, style="bold underline")
    return Content.styled(f"{NAMES[message.role]}\n", "bold") + shown


def _end_of(store: "Store", chat: Chat) -> Content:
    """Title and last messages."""
    parts: list[tuple[str, str]] = [(f"{line(chat.title) or 'untitled'}\n", "bold")]
    last = [stub.id for stub in store.path(chat)[-LAST_MESSAGES:]]
    for message in store.messages(last):
        text = safe(message.content[:SHORT])
        parts.append((f"\n{NAMES[message.role]}\n", "bold"))
        parts.append((text + ("…" if len(message.content) > SHORT else "") + "\n", ""))
    return Content.assemble(*parts)
