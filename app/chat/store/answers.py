"""Answers from their first character to their last: begun, journalled, finished or cut off."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from app.chat.store.chats import touch
from app.chat.store.database import Database
from app.chat.store.index import forget_message, index_message
from app.chat.store.messages import (
    add_message,
    generation_text,
    journalled,
    read_message,
    write_citations,
)
from app.chat.store.missing import no_message
from app.chat.store.process import is_alive, this_process
from app.chat.store.records import Citation, Generation, State
from app.sqlite_file import whole_characters


def begin_answer(database: Database, chat: int, parent: int | None, generation: Generation) -> int:
    """An empty answer that this process writes."""
    return _begin(database, chat, parent, "", None, generation)


def resume_answer(database: Database, id: int, generation: Generation) -> int:
    """An answer beside an older one that holds its text and goes on; the older one stays as it is."""
    old = read_message(database, id)
    return _begin(database, old.chat, old.parent, old.content, id, generation)


def finish_answer(
    database: Database,
    id: int,
    state: State,
    error: str,
    generation: Generation | None,
    document: Mapping[str, Any] | None,
    citations: Sequence[Citation],
    content: str | None,
) -> None:
    """Folds the journal into the text, or sets the text to `content`, and says how it ended.

    An answer that a start-up sweep took for abandoned, while this process was still writing it, is
    finished as well. Raises `ValueError` for any other that is finished, or for a state that is no end.
    """
    row = database.row(
        "SELECT chat, state, writer, content FROM messages JOIN texts ON message = id WHERE id = ?", (id,)
    )
    if row is None:
        raise no_message()
    chat, before, writer, old = row
    abandoned = before == "interrupted" and writer == this_process()
    if state == "streaming" or not (before == "streaming" or abandoned):
        raise ValueError(f"message {id} is {before} and cannot become {state}")
    if abandoned:
        forget_message(database, id, old)
    text = old + journalled(database, id) if content is None else whole_characters(content)
    _end(database, id, state, text)
    database.run(
        "UPDATE texts SET error = ?, generation = coalesce(?, generation), document = ? WHERE message = ?",
        (
            whole_characters(" ".join(error.split())),
            generation_text(generation),
            None if document is None else json.dumps(document),
            id,
        ),
    )
    write_citations(database, id, citations)
    touch(database, chat)


def sweep(database: Database) -> None:
    """What processes were writing that are dead now is interrupted, with the text that they journalled."""
    found = database.rows("SELECT id, writer FROM messages WHERE state = 'streaming'")
    if not any(_is_abandoned(writer) for _, writer in found):
        return
    with database.transaction():
        for id, writer in database.rows("SELECT id, writer FROM messages WHERE state = 'streaming'"):
            if _is_abandoned(writer):
                row = database.row("SELECT content FROM texts WHERE message = ?", (id,))
                _end(database, id, "interrupted", (row[0] if row else "") + journalled(database, id))


def _begin(
    database: Database,
    chat: int,
    parent: int | None,
    content: str,
    edited_from: int | None,
    generation: Generation,
) -> int:
    id = add_message(
        database, chat, parent, "assistant", content, "streaming", edited_from, writer=this_process()
    )
    database.run("UPDATE texts SET generation = ? WHERE message = ?", (generation_text(generation), id))
    return id


def _end(database: Database, id: int, state: State, text: str) -> None:
    database.run("DELETE FROM journal WHERE message = ?", (id,))
    database.run("UPDATE texts SET content = ? WHERE message = ?", (text, id))
    database.run(
        "UPDATE messages SET state = ?, characters = ?, finished = ? WHERE id = ?",
        (state, len(text), time.time(), id),
    )
    index_message(database, id, text)


def _is_abandoned(writer: str) -> bool:
    return writer != this_process() and not is_alive(writer)
