"""The texts of documents, stored in pieces so that a part is read without the whole."""

import hashlib
from collections.abc import Iterator

from app.ask.documents.document import Document, Heading, Page, Place
from app.ask.library.database import Database
from app.sqlite_file import whole_characters

#: Characters of a piece. Changing it needs a migration.
PIECE = 4096


class StoredText:
    """The text of one file as a sequence of characters, read from the library as it is sliced."""

    def __init__(self, database: Database, file: int, characters: int):
        self._database, self._file, self._length = database, file, characters

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: slice, /) -> str:
        start, stop, _ = key.indices(self._length)
        if start >= stop:
            return ""
        first = start // PIECE
        rows = self._database.rows(
            "SELECT text FROM pieces WHERE file = ? AND number BETWEEN ? AND ? ORDER BY number",
            (self._file, first, (stop - 1) // PIECE),
        )
        return "".join(text for (text,) in rows)[start - first * PIECE : stop - first * PIECE]


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    digest = hashlib.sha256()
    for at in range(0, len(text), PIECE):
        digest.update(text[at : at + PIECE].encode())
    return digest.hexdigest()


def write_text(database: Database, file: int, text: str, document: Document) -> None:
    """Stores the text of a document with its pages and headings, inside a transaction."""
    database.run_many("INSERT INTO pieces VALUES (?, ?, ?, ?)", _pieces(file, text))
    database.run_many(
        "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?)",
        (
            (file, position, page.number, page.start, page.end, whole_characters(page.label))
            for position, page in enumerate(document.pages)
        ),
    )
    database.run_many(
        "INSERT INTO headings VALUES (?, ?, ?, ?, ?)",
        (
            (file, position, heading.start, heading.level, whole_characters(heading.title))
            for position, heading in enumerate(document.headings)
        ),
    )


def _pieces(file: int, text: str) -> Iterator[tuple[int, int, int, str]]:
    lines = 0
    for number, at in enumerate(range(0, len(text), PIECE)):
        piece = text[at : at + PIECE]
        yield file, number, lines, piece
        lines += piece.count("\n")


def read_pages(database: Database, file: int) -> tuple[Page, ...]:
    rows = database.rows(
        "SELECT number, first, stop, label FROM pages WHERE file = ? ORDER BY position", (file,)
    )
    return tuple(Page(*row) for row in rows)


def read_headings(database: Database, file: int) -> tuple[Heading, ...]:
    rows = database.rows("SELECT first, level, title FROM headings WHERE file = ? ORDER BY position", (file,))
    return tuple(Heading(*row) for row in rows)


def place_of(database: Database, file: int, unit: str, position: int) -> Place:
    """Where a character stands, from its page and its piece alone."""
    position = max(0, position)
    page = database.row(
        "SELECT number, label FROM pages WHERE file = ? AND first <= ?"
        " ORDER BY first DESC, position DESC LIMIT 1",
        (file, position),
    )
    piece = database.row(
        "SELECT number, lines, text FROM pieces WHERE file = ? AND number <= ? ORDER BY number DESC LIMIT 1",
        (file, position // PIECE),
    )
    page_number, label = page or (1, "")
    number, lines, text = piece or (0, 0, "")
    line = lines + text.count("\n", 0, position - number * PIECE) + 1
    return Place(unit, page_number, label, line)
