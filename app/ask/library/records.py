"""What the library keeps, as its users see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Characters `start` to `end` of file number `file`: (file, start, end).
Range = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class File:
    """One stored document. `path` is absolute, "" for what came through stdin; `sha256` is of its bytes.

    An edited file is stored anew, under another `id`; an id is never given twice.
    """

    id: int
    name: str
    path: str
    sha256: str
    kind: str
    unit: str
    characters: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Characters `start` to `end` of a file, which the cutter's tokenizer encodes as `tokens` tokens.

    `overlap` of them stand in the chunk before it too (less those of the white space between the two):
    a run of chunks has the first one's `tokens`, plus `tokens - overlap` of each that follows.
    """

    id: int
    file: int
    start: int
    end: int
    tokens: int
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase to search for, as people write it; the words of a phrase must follow each other."""

    word: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; a higher score is better."""

    chunk: Chunk
    score: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation.

    `answer` is what the asker stored, any JSON object. `files` are id and path of the files that were
    asked about: the id still names the text that was answered from, if it is still stored; the path
    (absolute, "" for stdin) is where to look for its present version.
    """

    question: str
    standalone: str
    answer: Mapping[str, Any]
    files: tuple[tuple[int, str], ...]
