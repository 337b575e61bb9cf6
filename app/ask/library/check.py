"""Finding out whether a library is whole. Nothing is changed."""

import hashlib
import sqlite3

from app.ask.library import schema
from app.ask.library.database import Database
from qwen2_mlx.errors import Qwen2Error

#: Rows of which there may be none, and what to call them.
_ORPHANS = {
    "pieces of text of no file": "SELECT count(*) FROM pieces WHERE file NOT IN (SELECT id FROM files)",
    "pages of no file": "SELECT count(*) FROM pages WHERE file NOT IN (SELECT id FROM files)",
    "headings of no file": "SELECT count(*) FROM headings WHERE file NOT IN (SELECT id FROM files)",
    "chunk sets of no file": "SELECT count(*) FROM sets WHERE file NOT IN (SELECT id FROM files)",
    "chunks of no set": (
        f"SELECT count(*) FROM chunks WHERE id >> {schema.NUMBER_BITS} NOT IN (SELECT id FROM sets)"
    ),
    "chunks that are not in the index": (
        "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT id FROM terms_docsize)"
    ),
    "index entries of no chunk": (
        "SELECT count(*) FROM terms_docsize WHERE id NOT IN (SELECT id FROM chunks)"
    ),
    "chunks beyond the end of their text": (
        f"SELECT count(*) FROM chunks JOIN sets ON sets.id = chunks.id >> {schema.NUMBER_BITS}"
        " JOIN files ON files.id = file WHERE NOT (0 <= first AND first < stop AND stop <= characters)"
    ),
}


def problems(database: Database) -> list[str]:
    """What is wrong, one line each."""
    try:
        with database.snapshot():
            found = _structure(database)
            if not found:
                found = [*_orphans(database), *_sets(database), *_texts(database)]
    except Qwen2Error as error:
        return [str(error)]
    return found or _index(database)


def _structure(database: Database) -> list[str]:
    rows = database.rows("PRAGMA integrity_check(20)")
    return [f"the file is damaged: {line}" for (text,) in rows if text != "ok" for line in text.splitlines()]


def _index(database: Database) -> list[str]:
    """SQLite's own check of the full-text index; it is asked for as if by writing."""
    try:
        with database.transaction():
            database.run("INSERT INTO terms (terms) VALUES ('integrity-check')")
    except Qwen2Error as error:
        if isinstance(error.__cause__, sqlite3.DatabaseError):
            return [f"the index is damaged: {error.__cause__}"]
        raise
    return []


def _orphans(database: Database) -> list[str]:
    counts = {name: database.rows(sql)[0][0] for name, sql in _ORPHANS.items()}
    return [f"{count} {name}" for name, count in counts.items() if count]


def _sets(database: Database) -> list[str]:
    """Chunk sets whose chunks are not those that were counted."""
    shift = schema.NUMBER_BITS
    rows = database.rows(
        "SELECT name, sets.chunks, count(chunks.id), sets.tokens, coalesce(sum(chunks.tokens - overlap), 0)"
        " FROM sets JOIN files ON files.id = file AND gone = 0 LEFT JOIN chunks"
        f" ON chunks.id BETWEEN sets.id << {shift} AND (sets.id + 1 << {shift}) - 1 GROUP BY sets.id"
    )
    return [
        f"{name!r}: {found} of {expected} chunks are there"
        if found != expected
        else f"{name!r}: the tokens of its chunks do not add up"
        for name, expected, found, tokens, sum_of_tokens in rows
        if found != expected or sum_of_tokens != tokens
    ]


def _texts(database: Database) -> list[str]:
    """Files whose text is not the one that was stored."""
    found = []
    for id, name, expected in database.rows("SELECT id, name, text_sha256 FROM files WHERE gone = 0"):
        digest, number = hashlib.sha256(), 0
        while piece := database.row("SELECT text FROM pieces WHERE file = ? AND number = ?", (id, number)):
            digest.update(piece[0].encode())
            number += 1
        if digest.hexdigest() != expected:
            found.append(f"{name!r}: its text has changed; remove it, and it is read anew when asked about")
    return found
