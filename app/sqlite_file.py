"""What every SQLite file of ours needs: statements, transactions, and care for the file itself.

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

from qwen2_mlx.errors import Qwen2Error

_MAGIC = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal")

#: Half of a character pair without the other half: no text, and no database takes it.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class SqliteFile:
    """One open file. Every method raises `Qwen2Error` where `explained` says that people can help.

    A subclass sets `_connection` when it has opened it, with `isolation_level` None.
    """

    _connection: sqlite3.Connection

    def __init__(self, path: Path):
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps "..", and links stay links

    def explained(self, error: sqlite3.Error) -> str | None:
        """What to tell people of an error that they can do something about, else None."""
        raise NotImplementedError

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

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if reason := self.explained(error):
                raise Qwen2Error(reason) from error
            raise  # a bug


def whole_characters(text: str) -> str:
    """The text with U+FFFD for every surrogate: as long as it was, and always valid."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.translate(_SURROGATES)
    return text


def statements(script: str) -> Iterator[str]:
    """One by one, because `executescript` would commit first."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def with_patience(work: Callable[[], Any], seconds: float) -> None:
    """Switching to write-ahead logging does not wait for others by itself."""
    until = time.monotonic() + seconds
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 where the error is one of Python's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    return error_code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def has_mark(path: Path, application_id: int) -> bool:
    """Whether the header of a damaged file still says whose it was."""
    with path.open("rb") as file:
        header = file.read(72)
    return header.startswith(_MAGIC) and header[68:] == application_id.to_bytes(4, "big")


def set_aside(path: Path) -> Path:
    """Renames a damaged file and what SQLite keeps beside it; nothing is deleted."""
    number = 1
    while (target := Path(f"{path}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{target}{suffix}")
    return target


def make_private(path: Path, what: str) -> None:
    """Makes the file and its folder, for this user's eyes only, where they are missing.

    `what` names the file in the `Qwen2Error` that is raised where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, 0o600)
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Qwen2Error(
            f"the {what} {path} cannot be written: {reason}; make it writable, or name another file"
        ) from None
    if not regular:
        raise Qwen2Error(f"the {what} {path} is no regular file; name another one")
