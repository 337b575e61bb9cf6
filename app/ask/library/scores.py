"""What models found out about texts: scores of windows, notes, and how fast the models are.

A key names the model, the question and the text, so that an entry is never wrong, whatever becomes
of the file; the oldest go when there are too many. Only hashes of keys are kept: they are short, and
tell nothing about what was asked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from app.ask.library.database import Database
from app.ask.library.records import Range

#: Entries of each kind that are kept: some 60 MB of scores, and less of notes.
MOST = 1_000_000

#: Measurements that an average remembers, so that a faster machine or version is noticed.
_REMEMBERED = 8


def read_score(database: Database, key: str) -> float | None:
    row = database.row("SELECT score FROM scores WHERE key = ?", (_hashed(key),))
    return row[0] if row else None


def save_scores(database: Database, scores: Mapping[str, float]) -> None:
    """Stores scores, or replaces them, in one transaction."""
    with database.transaction():
        database.run_many(
            "INSERT OR REPLACE INTO scores (key, score) VALUES (?, ?)",
            ((_hashed(key), float(score)) for key, score in scores.items()),
        )
        _drop_oldest(database, "scores")


def read_notes(database: Database, key: str) -> list[Range] | None:
    row = database.row("SELECT spans FROM notes WHERE key = ?", (_hashed(key),))
    return [(file, start, end) for file, start, end in json.loads(row[0])] if row else None


def save_notes(database: Database, key: str, spans: Sequence[Range]) -> None:
    with database.transaction():
        database.run(
            "INSERT OR REPLACE INTO notes (key, spans) VALUES (?, ?)", (_hashed(key), json.dumps(list(spans)))
        )
        _drop_oldest(database, "notes")


def read_speed(database: Database, name: str) -> float | None:
    row = database.row("SELECT value FROM speeds WHERE name = ?", (name,))
    return row[0] if row else None


def save_speed(database: Database, name: str, value: float) -> None:
    """Takes a measurement into the running average of a rate."""
    with database.transaction():
        old, measured = database.row("SELECT value, measured FROM speeds WHERE name = ?", (name,)) or (0.0, 0)
        measured = min(measured + 1, _REMEMBERED)
        average = old + (value - old) / measured
        database.run("INSERT OR REPLACE INTO speeds VALUES (?, ?, ?)", (name, average, measured))


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:16]


def _drop_oldest(database: Database, table: str) -> None:
    database.run(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (MOST,))
