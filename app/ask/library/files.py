"""The list of files: which are stored, whether they have changed, adding and removing.

Whether a file has changed is told by its bytes. Reading them is spared where size, times and inode
are those of the last comparison, unless the file had been written only just before: then another
write may have left the same times.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from app.ask.documents.document import Document
from app.ask.documents.read import PARSER_VERSION, hash_file
from app.ask.library import schema
from app.ask.library.database import Database
from app.ask.library.records import File
from app.ask.library.terms import terms_of
from app.ask.library.texts import (
    StoredText,
    read_headings,
    read_pages,
    text_hash,
    whole_characters,
    write_text,
)
from app.ask.passage import Passage
from qwen2_mlx.errors import Qwen2Error

#: Times of files are trusted once they are so old, in nanoseconds: some systems count in 2 seconds.
_SETTLED = 3 * 10**9

#: Chunks that one transaction removes.
_REMOVED_AT_ONCE = 500

_COLUMNS = "id, name, path, sha256, kind, unit, characters, warnings"


def all_files(database: Database) -> list[File]:
    """All files, the last added first."""
    return [
        _file(row) for row in database.rows(f"SELECT {_COLUMNS} FROM files WHERE gone = 0 ORDER BY id DESC")
    ]


def get_file(database: Database, id: int) -> File:
    """Raises `KeyError` for an id that is not stored."""
    row = database.row(f"SELECT {_COLUMNS} FROM files WHERE id = ? AND gone = 0", (id,))
    if row is None:
        raise KeyError(id)
    return _file(row)


def find_file(database: Database, path: Path) -> File | None:
    """The stored file of this path, if its bytes and the parser are the same still."""
    row = database.row(
        f"SELECT {_COLUMNS}, stamp FROM files WHERE gone = 0 AND path = ? AND parser = ?",
        (_stored_path(path), PARSER_VERSION),
    )
    if row is None:
        return None
    file, known = _file(row[:-1]), row[-1]
    try:
        stamp = _stamp(path)
        if stamp and stamp == known:
            return file
        if hash_file(path) != file.sha256:
            return None
    except (OSError, Qwen2Error):
        return None  # reading it will tell why
    if stamp:
        database.run("UPDATE files SET stamp = ? WHERE id = ?", (stamp, file.id))
    return file


def add_file(database: Database, document: Document, path: Path | None) -> File:
    """Stores a document, unless it is stored already; an older version of its path goes."""
    text = whole_characters(document.text)
    stored_path = _stored_path(path) if path else b""
    values = {
        "path": stored_path,
        "name": whole_characters(document.name),
        "sha256": document.sha256,
        "parser": PARSER_VERSION,
        "kind": document.kind,
        "unit": document.unit,
        "characters": len(text),
        "text_sha256": text_hash(text),
        "warnings": json.dumps(document.warnings),
        "stamp": "",  # the file may have changed since it was read: the next `find_file` compares
        "added": time.time(),
    }
    with database.transaction():
        same = database.row(
            "SELECT id FROM files WHERE gone = 0 AND path = ? AND sha256 = ? AND parser = ? AND name = ?"
            " AND text_sha256 = ?",
            [values[key] for key in ("path", "sha256", "parser", "name", "text_sha256")],
        )
        if same:
            id = same[0]
            database.run("UPDATE files SET warnings = ? WHERE id = ?", (values["warnings"], id))
        else:
            if stored_path:
                database.run("UPDATE files SET gone = 1 WHERE path = ? AND gone = 0", (stored_path,))
            marks = ", ".join("?" * len(values))
            id = database.run(
                f"INSERT INTO files ({', '.join(values)}) VALUES ({marks})", list(values.values())
            )
            write_text(database, id, text, document)
    sweep(database)
    return get_file(database, id)


def remove_file(database: Database, id: int) -> None:
    """Removes a file with its text, chunks and index. Raises `KeyError` for an id that is not stored."""
    get_file(database, id)
    database.run("UPDATE files SET gone = 1 WHERE id = ?", (id,))
    sweep(database)
    database.shrink()


def sweep(database: Database) -> None:
    """Removes what belongs to files that are gone, a little at a time: others may write in between."""
    while gone := database.row("SELECT id, characters FROM files WHERE gone = 1 LIMIT 1"):
        text = StoredText(database, *gone)
        while _sweep_once(database, gone[0], text):
            pass
    _empty_index(database)


def _empty_index(database: Database) -> None:
    """An index that only holds what was taken out of it is made small at once."""
    with database.transaction():
        if not database.row("SELECT 1 FROM chunks LIMIT 1"):
            database.run("INSERT INTO terms (terms) VALUES ('delete-all')")


def read_document(database: Database, id: int) -> Document:
    """The document as it was added."""
    file = get_file(database, id)
    with database.snapshot():
        return Document(
            name=file.name,
            sha256=file.sha256,
            kind=file.kind,
            unit=file.unit,
            text=StoredText(database, id, file.characters)[:],
            pages=read_pages(database, id),
            headings=read_headings(database, id),
            warnings=file.warnings,
        )


def read_passage(database: Database, id: int, start: int, end: int) -> Passage:
    """Characters `start` to `end`, clipped to the text."""
    characters = get_file(database, id).characters
    start = min(max(0, start), characters)
    end = min(max(start, end), characters)
    return Passage(id, start, end, StoredText(database, id, characters)[start:end])


def _sweep_once(database: Database, file: int, text: StoredText) -> bool:
    """One transaction; False when nothing of the file is left."""
    with database.transaction():
        chosen = database.row("SELECT id FROM sets WHERE file = ? LIMIT 1", (file,))
        if chosen is None:
            for table in ("pieces", "pages", "headings"):
                database.run(f"DELETE FROM {table} WHERE file = ?", (file,))
            database.run("DELETE FROM files WHERE id = ? AND gone = 1", (file,))
            return False
        first = chosen[0] << schema.NUMBER_BITS
        last = first + (1 << schema.NUMBER_BITS) - 1
        chunks = database.rows(
            "SELECT id, first, stop, heading FROM chunks WHERE id BETWEEN ? AND ? LIMIT ?",
            (first, last, _REMOVED_AT_ONCE),
        )
        # Without a copy of what it indexed, the index must be told what to take out.
        database.run_many(
            "INSERT INTO terms (terms, rowid, body, heading) VALUES ('delete', ?, ?, ?)",
            (
                (id, " ".join(terms_of(text[start:end])), " ".join(terms_of(heading)))
                for id, start, end, heading in chunks
            ),
        )
        database.run_many("DELETE FROM chunks WHERE id = ?", ((id,) for id, *_ in chunks))
        if len(chunks) < _REMOVED_AT_ONCE:
            database.run("DELETE FROM sets WHERE id = ?", (chosen[0],))
        return True


def _file(row: tuple[Any, ...]) -> File:
    id, name, path, sha256, kind, unit, characters, warnings = row
    return File(id, name, os.fsdecode(path), sha256, kind, unit, characters, tuple(json.loads(warnings)))


def _stored_path(path: Path) -> bytes:
    """The absolute path as the system writes it: names need not be valid text."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps ".."


def _stamp(path: Path) -> str:
    """What changes when a file is written; "" for a file that was written just now."""
    status = path.stat()
    if abs(time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)) < _SETTLED:
        return ""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"
