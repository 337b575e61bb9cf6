"""The one class that everybody else uses."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from app.ask.chunking import Cutter
from app.ask.documents.document import Document, Place
from app.ask.library.check import problems
from app.ask.library.chunks import count_tokens, cut_file, read_chunks
from app.ask.library.conversations import add_turn, last_conversation, new_conversation, read_turns
from app.ask.library.database import Database
from app.ask.library.files import (
    add_file,
    all_files,
    find_file,
    get_file,
    read_document,
    read_passage,
    remove_file,
)
from app.ask.library.overview import Entry, read_entries
from app.ask.library.place import VARIABLE, default_path
from app.ask.library.records import Chunk, File, Hit, Range, Term, Turn
from app.ask.library.scores import read_notes, read_score, read_speed, save_notes, save_scores, save_speed
from app.ask.library.search import frequency, search
from app.ask.library.texts import place_of
from app.ask.passage import Passage


class Library:
    """Documents with their chunks and index, scores, notes and conversations in one SQLite file.

    Several processes may use one file at once; one object belongs to one thread. Ids of files and
    chunk sets that are not stored raise `KeyError`.
    """

    def __init__(self, database: Database):
        self._database = database

    @classmethod
    def open(cls, path: Path | None = None, notify: Callable[[str], None] | None = None) -> "Library":
        """The library at `path`, else the user's own; it is made where there is none.

        A damaged one is moved aside and begun anew, which `notify` is told (default: stderr). Raises
        `Qwen2Error` where there is something else at `path`, or it cannot be written.
        """
        own = default_path()
        path = own if path is None else path
        return cls(Database(path, path == own and VARIABLE not in os.environ, notify or _to_stderr))

    def close(self) -> None:
        self._database.close()

    @property
    def path(self) -> Path:
        return self._database.path

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._database.size()

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def find(self, path: Path) -> File | None:
        """The stored file of this path if its content has not changed since, and nor has the parser."""
        return find_file(self._database, path)

    def add(self, document: Document, path: Path | None) -> File:
        """Stores a document; an older version of the same path goes, with all that belongs to it."""
        return add_file(self._database, document, path)

    def files(self) -> list[File]:
        """All files, the last added first."""
        return all_files(self._database)

    def entries(self) -> list[Entry]:
        """All files with what else is known about them, the last added first."""
        return read_entries(self._database)

    def file(self, id: int) -> File:
        return get_file(self._database, id)

    def remove(self, id: int) -> None:
        """Removes a file with its chunks, index, scores and notes."""
        remove_file(self._database, id)

    def verify(self) -> list[str]:
        """What is wrong with the library, one line each; nothing is changed."""
        return problems(self._database)

    def document(self, file: int) -> Document:
        return read_document(self._database, file)

    def passage(self, file: int, start: int, end: int) -> Passage:
        """Characters `start` to `end`, clipped to the text."""
        with self._database.snapshot():
            return read_passage(self._database, file, start, end)

    def place(self, file: int, position: int) -> Place:
        """Where a character stands; reads a few thousand characters, not the text."""
        with self._database.snapshot():
            return place_of(self._database, file, get_file(self._database, file).unit, position)

    def cut(self, file: int, cutter: Cutter, on_progress: Callable[[int, int], None] | None = None) -> int:
        """The id of the file's chunk set for this cutter, cut and indexed now if it was not yet.

        `on_progress` is told the characters done and all there are, after each transaction. A killed
        or interrupted cut goes on where it was.
        """
        return cut_file(self._database, file, cutter, on_progress)

    def chunks(self, sets: Sequence[int]) -> Sequence[Chunk]:
        """All chunks, set by set in the order given, in document order within each."""
        with self._database.snapshot():
            return read_chunks(self._database, sets)

    def tokens(self, sets: Sequence[int]) -> int:
        """Tokens of the text of the sets, overlaps counted once."""
        return count_tokens(self._database, sets)

    def search(
        self,
        sets: Sequence[int],
        terms: Sequence[Term],
        limit: int,
        within: Sequence[Range] | None = None,
    ) -> list[Hit]:
        """The best chunks by BM25, best first. `within`: only chunks that overlap one of these ranges."""
        with self._database.snapshot():
            return search(self._database, sets, terms, limit, within)

    def frequency(self, sets: Sequence[int], word: str) -> int:
        """How many chunks hold a word or phrase."""
        with self._database.snapshot():
            return frequency(self._database, sets, word)

    def score(self, key: str) -> float | None:
        return read_score(self._database, key)

    def save_scores(self, scores: Mapping[str, float]) -> None:
        save_scores(self._database, scores)

    def notes(self, key: str) -> list[Range] | None:
        return read_notes(self._database, key)

    def save_notes(self, key: str, spans: Sequence[Range]) -> None:
        save_notes(self._database, key, spans)

    def speed(self, name: str) -> float | None:
        return read_speed(self._database, name)

    def save_speed(self, name: str, value: float) -> None:
        save_speed(self._database, name, value)

    def new_conversation(self) -> str:
        """The id of a new conversation: eight hexadecimal digits. It is stored with its first turn."""
        return new_conversation(self._database)

    def last_conversation(self) -> str | None:
        """The id of the conversation with the newest turn."""
        return last_conversation(self._database)

    def turns(self, conversation: str) -> list[Turn]:
        """The turns of a conversation, oldest first; none for one that is not stored."""
        return read_turns(self._database, conversation)

    def add_turn(
        self,
        conversation: str,
        question: str,
        standalone: str,
        answer: Mapping[str, Any],
        files: Sequence[File],
    ) -> None:
        add_turn(self._database, conversation, question, standalone, answer, files)


def _to_stderr(message: str) -> None:
    print(message, file=sys.stderr)
