"""Stretches of chunks that are read at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.ask.library.records import Chunk


@dataclass(frozen=True, slots=True)
class Window:
    """Characters `start` to `end` of file `file`, at most `tokens` tokens."""

    file: int
    start: int
    end: int
    tokens: int


#: Characters of white space between chunks that follow each other. More has tokens that nobody counted.
_WIDE_GAP = 256


def windows(chunks: Sequence[Chunk], tokens: int) -> list[Window]:
    """The chunks in windows of at most `tokens` tokens, in the order given.

    A window begins with the last chunk of the one before it, so that what stands at a border is read
    with what surrounds it; but not across files, wide gaps, or where both chunks do not fit. Raises
    `ValueError` for a chunk that is larger than a window.
    """
    found: list[Window] = []
    last: Chunk | None = None
    for chunk in chunks:
        if chunk.tokens > tokens:
            raise ValueError(f"a chunk of {chunk.tokens} tokens does not fit windows of {tokens}")
        follows = last is not None and _follows(last, chunk)
        fresh = chunk.tokens - chunk.overlap
        if follows and last is not None and (widened := _widened(found[-1], chunk, fresh, tokens)):
            found[-1] = widened
        elif follows and last is not None and last.tokens + fresh <= tokens:
            found.append(Window(chunk.file, last.start, chunk.end, last.tokens + fresh))
        else:
            found.append(Window(chunk.file, chunk.start, chunk.end, chunk.tokens))
        last = chunk
    return found


def _follows(last: Chunk, chunk: Chunk) -> bool:
    return last.file == chunk.file and last.start < chunk.start and chunk.start - last.end <= _WIDE_GAP


def _widened(window: Window, chunk: Chunk, fresh: int, tokens: int) -> Window | None:
    """The window with the chunk at its end, if it fits."""
    total = window.tokens + fresh
    return Window(window.file, window.start, chunk.end, total) if total <= tokens else None
