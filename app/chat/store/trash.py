"""Deleting and taking back: deleting only marks, and what was marked together comes back together."""

import json
import time
from collections.abc import Iterable
from operator import attrgetter

from app.chat.store.branches import leaf_of, move_head, siblings
from app.chat.store.chats import deleted_chats, read_chat, touch
from app.chat.store.database import Database
from app.chat.store.index import forget_message, forget_title, merge
from app.chat.store.messages import read_messages
from app.chat.store.missing import chat_of
from app.chat.store.records import Chat, Message
from qwen2_mlx.errors import Qwen2Error

#: Messages that are taken out of the index at a time.
_AT_ONCE = 500


def delete_chat(database: Database, id: int) -> None:
    """Into the trash. Again: stays as it is."""
    read_chat(database, id)
    database.run("UPDATE chats SET deleted = ? WHERE id = ? AND deleted IS NULL", (time.time(), id))


def restore_chat(database: Database, id: int) -> None:
    read_chat(database, id)
    database.run("UPDATE chats SET deleted = NULL WHERE id = ?", (id,))


def delete_message(database: Database, id: int) -> None:
    """A message and what follows it leave the chat. Its head moves to the version beside, else before."""
    chat = chat_of(database, id)
    beside = siblings(database, id)
    if id not in beside:
        return  # it is in the trash already
    head = read_chat(database, chat).head
    group = _following(database, chat, id, "AND deletion IS NULL")
    deletion = database.run(
        "INSERT INTO deletions (chat, message, head, deleted) VALUES (?, ?, ?, ?)",
        (chat, id, head, time.time()),
    )
    database.run_many("UPDATE messages SET deletion = ? WHERE id = ?", ((deletion, one) for one in group))
    if head in group:
        at = beside.index(id)
        other = beside[at - 1 : at] or beside[at + 1 : at + 2]
        move_head(database, chat, leaf_of(database, other[0]) if other else _parent(database, id))
    touch(database, chat)


def restore_message(database: Database, id: int) -> None:
    """A message and all that was deleted with it come back, and so does what it needs to stand on."""
    chat = chat_of(database, id)
    row = database.row(
        "SELECT deletions.id, head FROM messages JOIN deletions ON deletions.id = deletion"
        " WHERE messages.id = ?",
        (id,),
    )
    if row is None:
        return
    head = row[1]
    at: int | None = id
    while at is not None:
        above = database.row(
            "SELECT deletions.id, parent FROM deletions JOIN messages ON messages.id = message"
            " WHERE deletions.id = (SELECT deletion FROM messages WHERE id = ?)",
            (at,),
        )
        if above is None:
            break
        database.run("UPDATE messages SET deletion = NULL WHERE deletion = ?", (above[0],))
        database.run("DELETE FROM deletions WHERE id = ?", (above[0],))
        at = above[1]
    lives = database.row("SELECT 1 FROM messages WHERE id = ? AND deletion IS NULL", (head,))
    move_head(database, chat, head if lives else leaf_of(database, id))
    touch(database, chat)


def undo(database: Database, chat: int) -> bool:
    """Takes back the last deletion in a chat, or of the chat itself; False where there was none."""
    if read_chat(database, chat).deleted is not None:
        restore_chat(database, chat)
        return True
    row = database.row("SELECT message FROM deletions WHERE chat = ? ORDER BY id DESC LIMIT 1", (chat,))
    if row is None:
        return False
    restore_message(database, row[0])
    return True


def trash(database: Database) -> list[Chat | Message]:
    """Deleted chats, and the first of the messages that were deleted together; the last deleted first."""
    tops = database.rows(
        "SELECT message FROM deletions JOIN chats ON chats.id = deletions.chat WHERE chats.deleted IS NULL"
    )
    items: list[Chat | Message] = [*read_messages(database, (id for (id,) in tops))]
    items += deleted_chats(database)
    return sorted(items, key=attrgetter("deleted"), reverse=True)


def purge(database: Database, items: Iterable[Chat | Message]) -> None:
    """Removes what is in the trash for ever, and with a message all that follows it.

    What is gone already is well. Raises `Qwen2Error` for what was taken back.
    """
    for item in items:
        table = "chats" if isinstance(item, Chat) else "messages"
        if not database.row(f"SELECT 1 FROM {table} WHERE id = ?", (item.id,)):
            continue
        if isinstance(item, Chat):
            _purge_chat(database, item.id)
        else:
            _purge_message(database, item.id)
    merge(database)


def _purge_chat(database: Database, id: int) -> None:
    chat = read_chat(database, id)
    if chat.deleted is None:
        raise Qwen2Error("this chat is not in the trash; delete it first")
    _forget(database, [id for (id,) in database.rows("SELECT id FROM messages WHERE chat = ?", (id,))])
    forget_title(database, id, chat.title)
    database.run("DELETE FROM chats WHERE id = ?", (id,))


def _purge_message(database: Database, id: int) -> None:
    row = database.row("SELECT chat, deletion FROM messages WHERE id = ?", (id,))
    if row is None or row[1] is None:
        raise Qwen2Error("this message is not in the trash; delete it first")
    group = sorted(_following(database, row[0], id, ""))
    _forget(database, group)
    database.run("DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(group),))


def _parent(database: Database, id: int) -> int | None:
    row = database.row("SELECT parent FROM messages WHERE id = ?", (id,))
    return row[0] if row else None


def _following(database: Database, chat: int, id: int, condition: str) -> set[int]:
    """The message and all below it."""
    group = {id}
    for child, parent in database.rows(
        f"SELECT id, parent FROM messages WHERE chat = ? AND id > ? {condition} ORDER BY parent", (chat, id)
    ):
        if parent in group:  # which comes first: its own parent is older still
            group.add(child)
    return group


def _forget(database: Database, ids: list[int]) -> None:
    """Takes messages out of the index; those that are being written are not in it yet."""
    for at in range(0, len(ids), _AT_ONCE):
        for id, content in database.rows(
            "SELECT id, content FROM messages JOIN texts ON message = id"
            " WHERE state <> 'streaming' AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(ids[at : at + _AT_ONCE]),),
        ):
            forget_message(database, id, content)
