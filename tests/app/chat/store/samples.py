"""Conversations to test with."""

from app.chat.store import Citation, Generation, Message, Store

GENERATION = Generation("tiny", seed=7, sampling={"temperature": 0.5, "stop": ["."]})
CITATION = Citation(1, 4, "ab" * 32, "lease.pdf", "p. 3", 10, 25, "ninety days", "fuzzy", 93.5)


def say(store: Store, chat: int, *texts: str) -> list[Message]:
    """Question, answer, question, ... at the end of a chat."""
    added: list[Message] = []
    for text in texts:
        head = store.chat(chat).head
        role = "user" if head is None or store.message(head).role == "assistant" else "assistant"
        added.append(store.add_message(chat, head, role, text))
    return added


def texts(store: Store, chat: int) -> list[str]:
    """What a chat shows."""
    return [message.content for message in store.messages(stub.id for stub in store.path(chat))]


#: Each finds nothing in a sound store.
_BROKEN = (
    "SELECT this.id FROM messages AS this JOIN messages AS above ON above.id = this.parent"
    " WHERE this.chat <> above.chat OR this.depth <> above.depth + 1"
    " OR (above.deletion IS NOT NULL AND this.deletion IS NULL)",
    "SELECT id FROM messages WHERE parent IS NULL AND depth <> 0",
    "SELECT id FROM messages LEFT JOIN texts ON message = id"
    " WHERE message IS NULL OR length(content) > characters",
    "SELECT message FROM journal JOIN messages ON id = message WHERE state <> 'streaming'",
    "SELECT chats.id FROM chats JOIN messages ON messages.id = head"
    " WHERE messages.chat <> chats.id OR messages.deletion IS NOT NULL",
    "SELECT id FROM deletions WHERE id NOT IN (SELECT deletion FROM messages WHERE deletion IS NOT NULL)",
)


def check(store: Store) -> None:
    """The file is sound, and so are the trees in it."""
    database = store._database
    assert database.rows("PRAGMA integrity_check") == [("ok",)]
    assert database.rows("PRAGMA foreign_key_check") == []
    database.run("INSERT INTO terms (terms) VALUES ('integrity-check')")
    for broken in _BROKEN:
        assert database.rows(broken) == [], broken
