"""Whole chats apart from the file: for duplicating, exporting and importing them."""

import json
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from app.chat.options import Options
from app.chat.store.attachments import add_readings, attach, attachments
from app.chat.store.branches import line_of, move_head
from app.chat.store.chats import new_chat, read_chat, touch
from app.chat.store.database import Database
from app.chat.store.index import index_message
from app.chat.store.messages import generation_text, read_messages, write_citations
from app.chat.store.missing import chat_of, no_message
from app.chat.store.records import Attachment, Citation, Generation, Reading, Role, State
from app.sqlite_file import whole_characters

#: Messages that are read or written at a time.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class MessageCopy:
    """A message of a `ChatCopy`. `parent` and `edited_from` are places in its list, before this one's."""

    parent: int | None
    role: Role
    content: str
    state: State
    error: str
    edited_from: int | None
    created: float
    finished: float | None
    generation: Generation | None
    document: dict[str, Any] | None
    citations: tuple[Citation, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class ChatCopy:
    """A chat with its messages, each after its parent. `head` is a place in the list."""

    title: str
    named: bool
    options: Options
    draft: str
    folder: str
    pinned: bool
    archived: bool
    created: float
    head: int | None
    attachments: tuple[Attachment, ...]
    messages: tuple[MessageCopy, ...]


def copy_of(database: Database, id: int, upto: int | None = None) -> ChatCopy:
    """The branch that ends at the message `upto`; None: all branches, without what is in the trash.

    An answer that is being written is copied as far as it goes, as an interrupted one.
    """
    chat = read_chat(database, id)
    if upto is None:
        ids = [
            id
            for (id,) in database.rows(
                "SELECT id FROM messages WHERE chat = ? AND deletion IS NULL ORDER BY id", (id,)
            )
        ]
    elif chat_of(database, upto) != id:
        raise no_message()
    else:
        ids = line_of(database, upto)
    places = {id: place for place, id in enumerate(ids)}
    last = chat.head if upto is None else upto
    return ChatCopy(
        chat.title,
        chat.named,
        chat.options,
        chat.draft,
        chat.folder,
        chat.pinned,
        chat.archived,
        chat.created,
        None if last is None else places.get(last),
        tuple(attachments(database, id)),
        tuple(_message_copies(database, ids, places)),
    )


def add_copy(database: Database, copy: ChatCopy) -> int:
    """Stores a copy as a new chat, the last touched one."""
    chat = new_chat(database, copy.options, copy.title, copy.folder).id
    database.run(
        "UPDATE chats SET named = ?, draft = ?, pinned = ?, archived = ?, created = ? WHERE id = ?",
        (copy.named, whole_characters(copy.draft), copy.pinned, copy.archived, copy.created, chat),
    )
    for attachment in copy.attachments:
        attach(database, chat, attachment)
    row = database.row("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    first = (row[0] if row else 0) + 1
    _write_messages(database, chat, first, copy.messages)
    move_head(database, chat, None if copy.head is None else first + copy.head)
    touch(database, chat)
    return chat


def duplicate_chat(database: Database, id: int, upto: int | None) -> int:
    """A chat once more, to go on with in another direction; see `copy_of` for `upto`."""
    copy = copy_of(database, id, upto)
    title = f"{copy.title} (copy)" if copy.title else ""
    changes = {"title": title, "draft": "", "pinned": False, "archived": False, "created": time.time()}
    return add_copy(database, replace(copy, **changes))


def _message_copies(database: Database, ids: list[int], places: dict[int, int]) -> list[MessageCopy]:
    copies: list[MessageCopy] = []
    for at in range(0, len(ids), _AT_ONCE):
        some = ids[at : at + _AT_ONCE]
        readings = _readings(database, some)
        for message in read_messages(database, some):
            streaming = message.state == "streaming"
            copies.append(
                MessageCopy(
                    None if message.parent is None else places[message.parent],
                    message.role,
                    message.content,
                    "interrupted" if streaming else message.state,
                    message.error,
                    None if message.edited_from is None else places.get(message.edited_from),
                    message.created,
                    message.finished,
                    message.generation,
                    message.document,
                    message.citations,
                    readings[message.id],
                )
            )
    return copies


def _readings(database: Database, ids: list[int]) -> defaultdict[int, tuple[Reading, ...]]:
    found: defaultdict[int, tuple[Reading, ...]] = defaultdict(tuple)
    for message, *values in database.rows(
        "SELECT message, file, first, stop, score FROM readings"
        " WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, file, first, stop",
        (json.dumps(ids),),
    ):
        found[message] += (Reading(*values),)
    return found


def _write_messages(database: Database, chat: int, first: int, messages: tuple[MessageCopy, ...]) -> None:
    """Stores them with ids from `first` on."""
    depths: list[int] = []
    for place, message in enumerate(messages):
        depths.append(0 if message.parent is None else depths[message.parent] + 1)
        id, content = first + place, whole_characters(message.content)
        database.run(
            "INSERT INTO messages (id, chat, parent, depth, role, state, edited_from, characters, created,"
            " finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                chat,
                None if message.parent is None else first + message.parent,
                depths[place],
                message.role,
                message.state,
                None if message.edited_from is None else first + message.edited_from,
                len(content),
                message.created,
                message.finished,
            ),
        )
        database.run(
            "INSERT INTO texts VALUES (?, ?, ?, ?, ?)",
            (
                id,
                content,
                whole_characters(message.error),
                generation_text(message.generation),
                None if message.document is None else json.dumps(message.document),
            ),
        )
        if message.citations:
            write_citations(database, id, message.citations)
        if message.readings:
            add_readings(database, id, message.readings)
        index_message(database, id, content)
