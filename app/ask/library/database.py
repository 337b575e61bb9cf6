"""The SQLite file under the library: opening, upgrading, transactions, and what can go wrong.

Write-ahead logging lets readers and one writer work at the same time, and survives a kill at any
moment. Writers wait for each other, so transactions are kept short.
"""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from app.ask.library import schema
from qwen2_mlx.errors import Qwen2Error

#: Seconds to wait for another program's transaction.
_PATIENCE = 60.0

#: The log beside the file is cut back to this size.
_LOG_BYTES = 16 * 2**20

_MAGIC = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal")


class Database:
    """One open library file. Every method raises `Qwen2Error` where SQLite or the disk refuses."""

    def __init__(self, path: Path, ours: bool, notify: Callable[[str], None]):
        """`ours`: whatever is at `path` was written by us, so that it may be set aside when damaged."""
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps "..", and links stay links
        self._connection = self._open(ours, notify)

    def close(self) -> None:
        self._connection.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        with self._told():
            return self._connection.execute(sql, values).fetchone()

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Runs a statement, and returns the id of the row that it inserted."""
        with self._told():
            return self._connection.execute(sql, values).lastrowid or 0

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        with self._told():
            self._connection.executemany(sql, values)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block is stored, or nothing. It waits for other writers first."""
        try:  # an interrupt may come at any line
            self.run("BEGIN IMMEDIATE")
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of the block see one state."""
        try:
            self.run("BEGIN")
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def shrink(self) -> None:
        """Gives free pages back to the disk, where nobody else is reading or writing now."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.executescript("PRAGMA incremental_vacuum")  # execute stops after one page
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for suffix in ("", *_BESIDE):
            with contextlib.suppress(OSError):
                total += Path(f"{self.path}{suffix}").stat().st_size
        return total

    def _open(self, ours: bool, notify: Callable[[str], None]) -> sqlite3.Connection:
        with self._told():
            _make_private(self.path)
            before = self.path.stat()
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                if not (ours or _has_our_mark(self.path)):
                    raise Qwen2Error(f"{self.path} is not a library; name another file") from None
                if os.path.samestat(before, self.path.stat()):  # else somebody else has set it aside
                    aside = _set_aside(self.path)
                    notify(
                        f"the library was damaged ({error}) and was moved to {aside}; documents are read anew"
                    )
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        _make_private(self.path)
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            _version(connection, self.path)  # nothing is changed before it is known to be ours
            _configure(connection)
            _upgrade(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if reason := _explained(error, self.path):
                raise Qwen2Error(reason) from error
            raise  # a bug


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file only
    _with_patience(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
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
            for statement in _statements(step):
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


def _statements(script: str) -> Iterator[str]:
    """One by one, because `executescript` would commit first."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    partial = Path(f"{path}.part")
    partial.unlink(missing_ok=True)
    _make_private(partial)
    copy = sqlite3.connect(partial)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    partial.replace(path)


def _with_patience(work: Callable[[], Any]) -> None:
    """Switching to write-ahead logging does not wait for others by itself."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _explained(error: sqlite3.Error, path: Path) -> str | None:
    """What to tell people of an error that they can do something about."""
    if _is_damage(error):
        return (
            f"the library {path} is damaged ({error}); run qwen2-ask library verify, or move it away:"
            " documents are then read anew"
        )
    match _code(error):
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


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 where the error is one of Python's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _has_our_mark(path: Path) -> bool:
    """Whether the header of a damaged file still says whose it was."""
    with path.open("rb") as file:
        header = file.read(72)
    return header.startswith(_MAGIC) and header[68:] == schema.APPLICATION_ID.to_bytes(4, "big")


def _set_aside(path: Path) -> Path:
    number = 1
    while (target := Path(f"{path}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{target}{suffix}")
    return target


def _make_private(path: Path) -> None:
    """Makes the file and its folder, for this user's eyes only, where they are missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, 0o600)
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Qwen2Error(
            f"the library {path} cannot be written: {reason}; make it writable, or name another file"
        ) from None
    if not regular:
        raise Qwen2Error(f"the library {path} is no regular file; name another one")
