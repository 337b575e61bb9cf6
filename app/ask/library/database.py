"""The SQLite file under the library: opening, upgrading, and what can go wrong."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from app.ask.library import schema
from app.sqlite_file import (
    SqliteFile,
    error_code,
    has_mark,
    is_damage,
    make_private,
    set_aside,
    statements,
    with_patience,
)
from qwen2_mlx.errors import Qwen2Error

#: Seconds to wait for another program's transaction.
_PATIENCE = 60.0

#: The log beside the file is cut back to this size.
_LOG_BYTES = 16 * 2**20


class Database(SqliteFile):
    """One open library file. Every method raises `Qwen2Error` where SQLite or the disk refuses."""

    def __init__(self, path: Path, ours: bool, notify: Callable[[str], None]):
        """`ours`: whatever is at `path` was written by us, so that it may be set aside when damaged."""
        super().__init__(path)
        self._connection = self._open(ours, notify)

    def explained(self, error: sqlite3.Error) -> str | None:
        return _explained(error, self.path)

    def _open(self, ours: bool, notify: Callable[[str], None]) -> sqlite3.Connection:
        with self._told():
            make_private(self.path, "library")
            before = self.path.stat()
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                if not (ours or has_mark(self.path, schema.APPLICATION_ID)):
                    raise Qwen2Error(f"{self.path} is not a library; name another file") from None
                if os.path.samestat(before, self.path.stat()):  # else somebody else has set it aside
                    aside = set_aside(self.path)
                    notify(
                        f"the library was damaged ({error}) and was moved to {aside}; documents are read anew"
                    )
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        make_private(self.path, "library")
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            _version(connection, self.path)  # nothing is changed before it is known to be ours
            _configure(connection)
            _upgrade(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file only
    with_patience(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone(), _PATIENCE)
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo the last transactions, no more
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA cache_size = -4096")
    connection.execute("PRAGMA trusted_schema = OFF")


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Brings an older library to the present version, after a copy of it was made."""
    version = _version(connection, path)
    if version == len(schema.MIGRATIONS):
        return
    if version:
        _back_up(connection, Path(f"{path}.version-{version}"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)  # somebody else may have been faster
        for step in schema.MIGRATIONS[version:]:
            for statement in statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the tables, 0 of an empty file. Raises `Qwen2Error` for tables that are not ours."""
    with_tables = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if with_tables and connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise Qwen2Error(f"{path} is another program's database; name another file")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(schema.MIGRATIONS):
        raise Qwen2Error(f"the library {path} was written by a newer version; update, or name another file")
    return version


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    partial = Path(f"{path}.part")
    partial.unlink(missing_ok=True)
    make_private(partial, "library")
    copy = sqlite3.connect(partial)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    partial.replace(path)


def _explained(error: sqlite3.Error, path: Path) -> str | None:
    """What to tell people of an error that they can do something about."""
    if is_damage(error):
        return (
            f"the library {path} is damaged ({error}); run qwen2-ask library verify, or move it away:"
            " documents are then read anew"
        )
    match error_code(error):
        case sqlite3.SQLITE_FULL:
            return (
                f"the disk has no room for the library {path}; free some, or remove documents with"
                " qwen2-ask library remove"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program is writing to the library {path}; try again when it is done"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
            return f"the library {path} cannot be written ({error}); make it writable, or name another file"
    if "no such module: fts5" in str(error):
        return "the SQLite of this Python has no full-text index (FTS5); use another Python"
    return None
