"""From an older file to the present tables, one step after the other."""

import os
import sqlite3
from pathlib import Path

from app.chat.store import schema
from app.sqlite_file import make_private, statements
from qwen2_mlx.errors import Qwen2Error

#: Step n makes version n of version n - 1. Never change a step that was released: add one.
MIGRATIONS: tuple[str, ...] = (schema.FIRST,)


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the tables, 0 of an empty file. Raises `Qwen2Error` for tables that are not ours."""
    with_tables = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if with_tables and connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise Qwen2Error(f"{path} is another program's database; name another file")
    return connection.execute("PRAGMA user_version").fetchone()[0]


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Brings older chats to the present version, each step in a transaction, after a copy was made."""
    version = version_of(connection, path)
    if 0 < version < len(MIGRATIONS):
        _back_up(connection, path, version)
    for number, step in enumerate(MIGRATIONS, start=1):
        _apply(connection, path, number, step)


def _apply(connection: sqlite3.Connection, path: Path, number: int, step: str) -> None:
    if version_of(connection, path) >= number:
        return
    connection.execute("PRAGMA foreign_keys = OFF")  # a step may make a table anew; ignored inside one
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection, path) < number:  # else somebody else was faster
            for statement in statements(step):
                connection.execute(statement)
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                raise sqlite3.IntegrityError(f"step {number} left references to nothing")
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy of everything as it is; the older of two copies of one version goes."""
    partial = Path(f"{path}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    make_private(partial, "copy of the chats")
    try:
        connection.execute("VACUUM INTO ?", (str(partial),))
        if version_of(connection, path) == version:  # else somebody else was faster, and has made the copy
            partial.replace(f"{path}.version-{version}")
    finally:
        partial.unlink(missing_ok=True)
