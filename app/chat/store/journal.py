"""The journal: every piece of an answer is on disk before anyone reads it."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from app.chat.store.database import connect, explained
from app.sqlite_file import whole_characters
from qwen2_mlx.errors import Qwen2Error

#: Once a message is finished, nothing is added: a piece that comes too late belongs to no answer.
_APPEND = """
INSERT INTO journal
SELECT id, (SELECT coalesce(max(number), 0) + 1 FROM journal WHERE message = ?1), ?2
FROM messages WHERE id = ?1 AND state = 'streaming'
"""


class Journal:
    """A connection of its own for the thread that answers; opened by the first piece."""

    def __init__(self, path: Path, read_only: bool = False):
        self._path, self._read_only = path, read_only
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._lock = threading.Lock()  # closing comes from another thread

    def append(self, message: int, fragment: str) -> None:
        """Adds to an answer that was begun and not finished; to any other, and once closed, nothing.

        It is committed when this returns: a kill loses nothing of it. Raises `Qwen2Error` where the
        disk is full or cannot be written.
        """
        with self._lock:
            if self._closed or self._read_only or not fragment:
                return
            try:
                if self._connection is None:
                    self._connection = connect(self._path, one_thread=False)
                self._connection.execute(_APPEND, (message, whole_characters(fragment)))
            except sqlite3.Error as error:
                if reason := explained(error, self._path):
                    raise Qwen2Error(reason) from error
                raise

    def close(self) -> None:
        """From any thread; what comes later is dropped."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
