"""Messages: adding them, and reading them with all that belongs to them."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from app.chat.store.branches import move_head
from app.chat.store.chats import read_chat, touch
from app.chat.store.database import Database
from app.chat.store.index import index_message
from app.chat.store.missing import no_message
from app.chat.store.records import Citation, Generation, Message, Role, State
from app.sqlite_file import whole_characters
from qwen2_mlx.errors import Qwen2Error

_VERSIONS = (
    "SELECT count(*) FROM messages AS other"
    " WHERE other.chat = messages.chat AND other.parent IS messages.parent AND other.deletion IS NULL"
)
_MESSAGE = f"""
SELECT messages.id, messages.chat, parent, depth, role, content, state, error, edited_from,
    messages.created, finished, deletions.deleted,
    ({_VERSIONS} AND other.id < messages.id) + 1, ({_VERSIONS}) + (deletion IS NOT NULL),
    generation, document
FROM messages JOIN texts ON texts.message = messages.id
    LEFT JOIN deletions ON deletions.id = messages.deletion
WHERE messages.id IN (SELECT value FROM json_each(?))
"""


def add_message(
    database: Database,
    chat: int,
    parent: int | None,
    role: Role,
    content: str,
    state: State,
    edited_from: int | None = None,
    writer: str = "",
) -> int:
    """Adds a message after `parent`, beside those that follow it already; the chat's head moves to it.

    A chat that another window has put into the trash meanwhile comes back: nobody empties what is in use.
    """
    head = read_chat(database, chat).head
    depth = 0 if parent is None else _depth(database, chat, parent) + 1
    now = time.time()
    content = whole_characters(content)
    finished = None if state == "streaming" else now
    id = database.run(
        "INSERT INTO messages (chat, parent, depth, role, state, writer, edited_from, characters, created,"
        " finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (chat, parent, depth, role, state, writer, edited_from, len(content), now, finished),
    )
    database.run("INSERT INTO texts (message, content) VALUES (?, ?)", (id, content))
    if state != "streaming":
        index_message(database, id, content)
    move_head(database, chat, id, follows=head == parent)
    database.run("UPDATE chats SET deleted = NULL WHERE id = ?", (chat,))
    touch(database, chat)
    return id


def read_message(database: Database, id: int) -> Message:
    found = read_messages(database, [id])
    if not found:
        raise no_message()
    return found[0]


def read_messages(database: Database, ids: Iterable[int]) -> list[Message]:
    """The messages in the order of `ids`, without those that are not there; deleted ones too.

    The text of one that is being written is as far as its journal goes.
    """
    wanted = list(ids)
    some = json.dumps(wanted)
    rows = database.rows(_MESSAGE, (some,))
    citations = read_citations(database, some)
    found = {row[0]: _message(database, row, citations[row[0]]) for row in rows}
    return [found[id] for id in wanted if id in found]


def journalled(database: Database, id: int) -> str:
    """What the journal holds of an answer that is being written."""
    rows = database.rows("SELECT fragment FROM journal WHERE message = ? ORDER BY number", (id,))
    return "".join(fragment for (fragment,) in rows)


def read_citations(database: Database, ids: str) -> defaultdict[int, tuple[Citation, ...]]:
    """The citations of the messages of a JSON list, by message."""
    found: defaultdict[int, tuple[Citation, ...]] = defaultdict(tuple)
    for message, *values in database.rows(
        "SELECT message, number, file, sha256, name, place, first, stop, quote, match, score"
        " FROM citations WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, number",
        (ids,),
    ):
        found[message] += (Citation(*values),)
    return found


def write_citations(database: Database, message: int, citations: Sequence[Citation]) -> None:
    """These are the message's citations from now on."""
    database.run("DELETE FROM citations WHERE message = ?", (message,))
    database.run_many(
        "INSERT OR REPLACE INTO citations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                message,
                cited.number,
                cited.file,
                cited.sha256,
                whole_characters(cited.name),
                whole_characters(cited.place),
                cited.start,
                cited.end,
                whole_characters(cited.quote),
                cited.match,
                float(cited.score),
            )
            for cited in citations
        ),
    )


def generation_text(generation: Generation | None) -> str | None:
    return None if generation is None else json.dumps(asdict(generation))


def prompts(database: Database, limit: int) -> list[str]:
    """What people asked, the newest first, each text once."""
    found: dict[str, None] = {}
    last = 2**62
    while len(found) < limit:
        rows = database.rows(
            "SELECT messages.id, content FROM messages JOIN texts ON texts.message = messages.id"
            " WHERE role = 'user' AND messages.id < ? AND deletion IS NULL"
            " AND (SELECT deleted FROM chats WHERE chats.id = chat) IS NULL"
            " ORDER BY messages.id DESC LIMIT 500",
            (last,),
        )
        found |= dict.fromkeys(content for _, content in rows)
        if len(rows) < 500:
            break
        last = rows[-1][0]
    return list(found)[:limit]


def _depth(database: Database, chat: int, parent: int) -> int:
    row = database.row("SELECT depth, deletion FROM messages WHERE id = ? AND chat = ?", (parent, chat))
    if row is None:
        raise no_message()
    if row[1] is not None:
        raise Qwen2Error("the message before it is in the trash; take it back first")
    return row[0]


def _message(database: Database, row: tuple[Any, ...], citations: tuple[Citation, ...]) -> Message:
    *plain, generation, document = row
    message = Message(
        *plain,
        generation=None if generation is None else Generation(**json.loads(generation)),
        document=None if document is None else json.loads(document),
        citations=citations,
    )
    if message.state != "streaming":
        return message
    return replace(message, content=message.content + journalled(database, message.id))
