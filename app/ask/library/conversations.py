"""Questions with their answers, so that a follow-up knows what it follows."""

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from app.ask.library.database import Database
from app.ask.library.records import File, Turn
from app.sqlite_file import whole_characters


def new_conversation(database: Database) -> str:
    """An id that is not stored: eight hexadecimal digits."""
    while True:
        id = secrets.token_hex(4)
        if not database.row("SELECT 1 FROM turns WHERE conversation = ?", (id,)):
            return id


def last_conversation(database: Database) -> str | None:
    """The id of the conversation with the newest turn."""
    row = database.row("SELECT conversation FROM turns ORDER BY id DESC LIMIT 1")
    return row[0] if row else None


def read_turns(database: Database, conversation: str) -> list[Turn]:
    """The turns of a conversation, oldest first; none for one that is not stored."""
    rows = database.rows(
        "SELECT question, standalone, answer, files FROM turns WHERE conversation = ? ORDER BY id",
        (whole_characters(conversation),),
    )
    return [
        Turn(
            question,
            standalone,
            json.loads(answer),
            tuple((id, os.fsdecode(path.encode("latin-1"))) for id, path in json.loads(files)),
        )
        for question, standalone, answer, files in rows
    ]


def add_turn(
    database: Database,
    conversation: str,
    question: str,
    standalone: str,
    answer: Mapping[str, Any],
    files: Sequence[File],
) -> None:
    """Adds a turn at the end of a conversation. `answer` is anything JSON can say."""
    named = [(file.id, os.fsencode(file.path).decode("latin-1")) for file in files]  # paths are any bytes
    values = (
        whole_characters(conversation),
        whole_characters(question),
        whole_characters(standalone),
        json.dumps(answer),
        json.dumps(named),
        time.time(),
    )
    database.run(
        "INSERT INTO turns (conversation, question, standalone, answer, files, asked)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        values,
    )
