"""Chunk sets: cutting and indexing a file transaction by transaction, and reading the chunks."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from app.ask.chunking import Cut, Cutter
from app.ask.library import schema
from app.ask.library.database import Database
from app.ask.library.files import get_file
from app.ask.library.records import Chunk, File
from app.ask.library.terms import terms_of
from app.ask.library.texts import StoredText, read_headings
from qwen2_mlx.errors import Qwen2Error

#: Chunks of one transaction: what a killed program does again at most.
AT_ONCE = 256

OnProgress = Callable[[int, int], None]

#: A chunk as it is stored, without its id: first, stop, tokens, overlap, words, heading; then its terms.
_Prepared = tuple[tuple[int, int, int, int, int, str], str, str]


def cut_file(database: Database, id: int, cutter: Cutter, on_progress: OnProgress | None) -> int:
    """The set of this file and cutter, complete. It goes on where it stopped, whoever began it."""
    file = get_file(database, id)
    set_id = _find_set(database, id, cutter.key) or _new_set(database, id, cutter.key)
    text = StoredText(database, id, file.characters)
    headings = None
    while not _is_done(database, set_id):
        headings = read_headings(database, id) if headings is None else headings
        number, after = _position(database, set_id)
        if on_progress:
            on_progress(after[1] if after else 0, file.characters)
        for prepared in _batches(cutter.cut(text, headings, after), text, file):
            done = len(prepared) < AT_ONCE
            if not _append(database, set_id, number, prepared, done):
                break  # another program cuts the same set: go on after it
            number += len(prepared)
            if on_progress:
                on_progress(file.characters if done else prepared[-1][0][1], file.characters)
    return set_id


def read_chunks(database: Database, sets: Sequence[int]) -> list[Chunk]:
    """All chunks, set by set, in document order within each."""
    files = set_files(database, sets)
    return [
        Chunk(id, files[set_id], *rest)
        for set_id in sets
        for id, *rest in database.rows(
            "SELECT id, first, stop, tokens, overlap FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id",
            chunk_ids(set_id),
        )
    ]


def set_files(database: Database, sets: Sequence[int]) -> dict[int, int]:
    """Each set's file. Raises `KeyError` for a set that is not stored."""
    found = dict(
        database.rows(
            "SELECT id, file FROM sets WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(sets),)
        )
    )
    if missing := set(sets) - found.keys():
        raise KeyError(min(missing))
    return found


def count_tokens(database: Database, sets: Sequence[int]) -> int:
    """Tokens of the text of the sets, overlaps counted once."""
    set_files(database, sets)
    return database.rows(
        "SELECT coalesce(sum(tokens), 0) FROM sets WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(sets),),
    )[0][0]


def chunk_ids(set_id: int) -> tuple[int, int]:
    """The first and the last id that a chunk of this set may have."""
    return set_id << schema.NUMBER_BITS, (set_id + 1 << schema.NUMBER_BITS) - 1


def _find_set(database: Database, file: int, key: str) -> int | None:
    row = database.row("SELECT id FROM sets WHERE file = ? AND cutter = ?", (file, key))
    return row[0] if row else None


def _is_done(database: Database, set_id: int) -> bool:
    row = database.row("SELECT done FROM sets WHERE id = ?", (set_id,))
    if row is None:
        raise _removed()
    return bool(row[0])


def _new_set(database: Database, file: int, key: str) -> int:
    with database.transaction():
        _require(database, "SELECT 1 FROM files WHERE id = ? AND gone = 0", file)
        database.run("INSERT OR IGNORE INTO sets (file, cutter) VALUES (?, ?)", (file, key))
        return database.rows("SELECT id FROM sets WHERE file = ? AND cutter = ?", (file, key))[0][0]


def _position(database: Database, set_id: int) -> tuple[int, tuple[int, int] | None]:
    """How many chunks are stored, and (start, end) of the last one."""
    last = database.row(
        "SELECT id, first, stop FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
        chunk_ids(set_id),
    )
    return (last[0] - chunk_ids(set_id)[0] + 1, (last[1], last[2])) if last else (0, None)


def _batches(cuts: Iterator[Cut], text: StoredText, file: File) -> Iterator[list[_Prepared]]:
    """The last one is shorter than `AT_ONCE`, or empty."""
    while True:
        batch = [_prepare(cut, text, file) for cut in islice(cuts, AT_ONCE)]
        yield batch
        if len(batch) < AT_ONCE:
            return


def _prepare(cut: Cut, text: StoredText, file: File) -> _Prepared:
    heading = f"{file.name} {cut.heading}"  # a question may name its document
    body, above = terms_of(text[cut.start : cut.end]), terms_of(heading)
    row = (cut.start, cut.end, cut.tokens, cut.overlap, len(body), heading)
    return row, " ".join(body), " ".join(above)


def _append(database: Database, set_id: int, number: int, prepared: Sequence[_Prepared], done: bool) -> bool:
    """Stores chunks from number `number` on; False where that is not the next one any more."""
    first = chunk_ids(set_id)[0] + number
    with database.transaction():
        _require(
            database,
            "SELECT 1 FROM sets JOIN files ON files.id = file WHERE sets.id = ? AND gone = 0",
            set_id,
        )
        if database.rows("SELECT chunks, done FROM sets WHERE id = ?", (set_id,))[0] != (number, 0):
            return False
        database.run_many(
            "INSERT INTO chunks (id, first, stop, tokens, overlap, words, heading)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((first + index, *row) for index, (row, _, _) in enumerate(prepared)),
        )
        database.run_many(
            "INSERT INTO terms (rowid, body, heading) VALUES (?, ?, ?)",
            ((first + index, body, above) for index, (_, body, above) in enumerate(prepared)),
        )
        rows = [row for row, _, _ in prepared]
        tokens, words = sum(row[2] - row[3] for row in rows), sum(row[4] for row in rows)
        database.run(
            "UPDATE sets SET chunks = chunks + ?, tokens = tokens + ?, words = words + ?, done = ?"
            " WHERE id = ?",
            (len(prepared), tokens, words, done, set_id),
        )
    return True


def _require(database: Database, sql: str, id: int) -> None:
    if not database.row(sql, (id,)):
        raise _removed()


def _removed() -> Qwen2Error:
    return Qwen2Error("the document was removed from the library, or replaced by a newer one; ask again")
