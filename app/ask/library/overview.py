"""The files of a library with what else is known about them, for people."""

from dataclasses import dataclass

from app.ask.library.database import Database
from app.ask.library.files import all_files
from app.ask.library.records import File


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `pages` are of its unit, `lines` of its text; `added` is in seconds since 1970.

    `tokens` are those of its text by each way that it was cut completely, with how many chunks that
    gave: (tokens, chunks).
    """

    file: File
    pages: int
    lines: int
    added: float
    cuts: tuple[tuple[int, int], ...]


def read_entries(database: Database) -> list[Entry]:
    """All files, the last added first."""
    with database.snapshot():
        files = all_files(database)
        added = dict(database.rows("SELECT id, added FROM files WHERE gone = 0"))
        pages = dict(database.rows("SELECT file, count(*) FROM pages GROUP BY file"))
        lines = dict(
            database.rows(
                "SELECT file, lines + length(text) - length(replace(text, char(10), '')) + 1 FROM pieces JOIN"
                " (SELECT file AS owner, max(number) AS last FROM pieces GROUP BY file)"
                " ON file = owner AND number = last"
            )
        )
        cuts: dict[int, list[tuple[int, int]]] = {}
        for file, tokens, chunks in database.rows(
            "SELECT file, tokens, chunks FROM sets WHERE done ORDER BY id"
        ):
            cuts.setdefault(file, []).append((tokens, chunks))
    return [
        Entry(
            file, pages.get(file.id, 0), lines.get(file.id, 0), added[file.id], tuple(cuts.get(file.id, ()))
        )
        for file in files
    ]
