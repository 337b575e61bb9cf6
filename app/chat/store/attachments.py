"""Documents of a chat, and what of them was read for an answer."""

import os
from collections.abc import Sequence

from app.chat.store.chats import read_chat
from app.chat.store.database import Database
from app.chat.store.missing import chat_of
from app.chat.store.records import Attachment, Reading
from app.sqlite_file import whole_characters


def attach(database: Database, chat: int, attachment: Attachment) -> None:
    """Once more: takes the place of what was known of the same file."""
    read_chat(database, chat)
    database.run(
        "INSERT OR REPLACE INTO attachments VALUES (?, ?, ?, ?, ?, ?)",
        (
            chat,
            attachment.file,
            attachment.sha256,
            whole_characters(attachment.name),
            os.fsencode(attachment.path),
            attachment.attached,
        ),
    )


def detach(database: Database, chat: int, file: int) -> None:
    database.run("DELETE FROM attachments WHERE chat = ? AND file = ?", (chat, file))


def attachments(database: Database, chat: int) -> list[Attachment]:
    """In the order in which they were attached."""
    rows = database.rows(
        "SELECT file, sha256, name, path, attached FROM attachments WHERE chat = ? ORDER BY attached, file",
        (chat,),
    )
    return [
        Attachment(file, sha256, name, os.fsdecode(path), attached)
        for file, sha256, name, path, attached in rows
    ]


def add_readings(database: Database, message: int, readings: Sequence[Reading]) -> None:
    """The same part again: its score is the new one."""
    chat_of(database, message)
    database.run_many(
        "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?)",
        ((message, reading.file, reading.start, reading.end, float(reading.score)) for reading in readings),
    )


def readings(database: Database, message: int) -> list[Reading]:
    rows = database.rows(
        "SELECT file, first, stop, score FROM readings WHERE message = ? ORDER BY file, first, stop",
        (message,),
    )
    return [Reading(*row) for row in rows]
