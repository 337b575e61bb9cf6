"""Chats to look at, and texts that try to do harm to a screen."""

from app.chat.options import Options
from app.chat.store import Store
from app.chat.store.records import Chat

RED = "[red]not markup[/red] [/] [@click=app.quit]x[/]"
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2J\x00end"
TURNED = "gpj.\u202etxt\u2066evil"
CHINESE = "诗歌和散文" * 30
LONG = "word " * 5000
LINES = "first\nsecond\r\nthird\ttab"

HOSTILE = (RED, ESCAPES, TURNED, CHINESE, LONG, LINES)


def chat_about(store: Store, title: str, *said: str) -> Chat:
    """A chat whose messages are questions and answers in turn."""
    chat = store.new_chat(Options(), title)
    parent = None
    for number, text in enumerate(said):
        message = store.add_message(chat.id, parent, "assistant" if number % 2 else "user", text)
        parent = message.id
    return store.chat(chat.id)


def assert_nothing_escapes(text: str) -> None:
    """No control character, no mark that turns the direction, and no markup that was obeyed."""
    assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in text)
    assert not any(sign in text for sign in "\u202e\u2066")
