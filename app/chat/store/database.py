"""The SQLite file under the chats: opening, what can go wrong, and reading what a newer version wrote."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from app.chat.store import migrations, schema
from app.sqlite_file import (
    SqliteFile,
    error_code,
    has_mark,
    is_damage,
    make_private,
    set_aside,
    with_patience,
)
from qwen2_mlx.errors import Qwen2Error

#: Seconds to wait for another program's transaction.
PATIENCE = 10.0

#: The log beside the file is cut back to this size.
_LOG_BYTES = 16 * 2**20


class Database(SqliteFile):
    """One open file of chats. Every method raises `Qwen2Error` where SQLite or the disk refuses."""

    def __init__(self, path: Path, ours: bool, notify: Callable[[str], None]):
        """`ours`: whatever is at `path` was written by us, so that it may be set aside when damaged."""
        super().__init__(path)
        self.read_only = False
        self._connection = self._open(ours, notify)
        if self.read_only:
            notify(f"{_newer(self.path)}: they can be read, but nothing is saved; update to go on with them")

    def explained(self, error: sqlite3.Error) -> str | None:
        if self.read_only and "no such" in str(error):
            return f"{_newer(self.path)} and cannot be read; update, or name another file"
        return explained(error, self.path)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block is stored, or nothing. It waits for other writers first."""
        if self.read_only:
            raise Qwen2Error(f"{_newer(self.path)} and can only be read; update, or name another file")
        with super().transaction():
            yield

    def _open(self, ours: bool, notify: Callable[[str], None]) -> sqlite3.Connection:
        with self._told():
            make_private(self.path, "file of chats")
            before = self.path.stat()
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                if not (ours or has_mark(self.path, schema.APPLICATION_ID)):
                    raise Qwen2Error(f"{self.path} is no file of chats; name another file") from None
                if os.path.samestat(before, self.path.stat()):  # else somebody else has set it aside
                    aside = set_aside(self.path)
                    notify(
                        f"the chats were damaged ({error}): the file was moved to {aside}, a new one begun"
                    )
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        make_private(self.path, "file of chats")
        connection = connect(self.path)
        try:
            version = migrations.version_of(connection, self.path)  # before anything is changed
            self.read_only = version > len(migrations.MIGRATIONS)
            if not self.read_only:
                _configure(connection)
                migrations.upgrade(connection, self.path)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA query_only = {int(self.read_only)}")
        except BaseException:
            connection.close()
            raise
        return connection


def connect(path: Path, one_thread: bool = True) -> sqlite3.Connection:
    """A connection with the settings that are not kept in the file."""
    connection = sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=one_thread)
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo the last transactions, no more
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def explained(error: sqlite3.Error, path: Path) -> str | None:
    """What to tell people of an error that they can do something about."""
    if is_damage(error):
        return f"the file of chats {path} is damaged ({error}); move it away to begin a new one"
    match error_code(error):
        case sqlite3.SQLITE_FULL:
            return f"the disk has no room for the chats {path}; free some, or empty the trash"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program is writing to the chats {path}; try again when it is done"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
            return f"the chats {path} cannot be written ({error}); make them writable, or name another file"
    if "no such module: fts5" in str(error):
        return "the SQLite of this Python has no full-text index (FTS5); use another Python"
    return None


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file only
    with_patience(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone(), PATIENCE)
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA secure_delete = FAST")  # what is purged is gone where that costs nothing
    connection.execute("PRAGMA cache_size = -8192")


def _newer(path: Path) -> str:
    return f"the chats {path} were written by a newer version"
