"""The documents of a question: their chunks and windows, and how much of them was looked at."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from app.ask.answer import Coverage
from app.ask.levels.pages import clip
from app.ask.library import Chunk, File, Library, Range
from app.ask.passage import Passage
from app.ask.windows import Window, windows


class Span(Protocol):
    """A run of characters with its count of tokens: a chunk or a window."""

    @property
    def file(self) -> int: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def tokens(self) -> int: ...


class Material:
    """What a question is about.

    `sets` are the chunk sets of `files`, in the same order; `ranges` what of them may be looked at, None
    for all. Windows have at most `window_tokens` tokens, which `count` counts. No text is kept.
    """

    def __init__(
        self,
        library: Library,
        files: Sequence[File],
        sets: Sequence[int],
        ranges: Sequence[Range] | None,
        window_tokens: int,
        count: Callable[[str], int],
    ) -> None:
        self.library = library
        self.files, self.sets, self.ranges = files, sets, ranges
        self._window_tokens, self._count = window_tokens, count
        self._order = {file.id: at for at, file in enumerate(files)}
        self._names = {file.id: file.name for file in files}
        self.windows_read: set[int] = set()

    @cached_property
    def chunks(self) -> list[Chunk]:
        """All chunks that may be looked at, in the order of the documents, cut where the ranges end."""
        chunks = self.library.chunks(self.sets)
        if self.ranges is None:
            return list(chunks)
        # Chunks overlap, so that several short ranges may lie in two of them.
        parts = [part for chunk in chunks for part in self.clipped(chunk)]
        kept: list[Chunk] = []
        for part in sorted(parts, key=lambda part: (*self.position(part.file, part.start), -part.end)):
            if not (kept and kept[-1].file == part.file and part.end <= kept[-1].end):
                kept.append(part)
        return kept

    @cached_property
    def windows(self) -> list[Window]:
        """What the reading levels take at once, in the order of the documents."""
        size = self._window_tokens
        if self.ranges is None:
            return windows(self.chunks, size)
        return [
            window
            for file, start, end in self.ranges
            for window in windows(self.chunks_within(file, start, end), size)
        ]

    @cached_property
    def runs(self) -> list[Range]:
        """What may be looked at: the ranges, else every file from its start to its end."""
        if self.ranges is not None:
            return list(self.ranges)
        return [(file.id, 0, file.characters) for file in self.files if file.characters]

    @cached_property
    def tokens(self) -> int:
        """Tokens of all that may be looked at."""
        if self.ranges is None:
            return self.library.tokens(self.sets)
        return sum(chunk.tokens - chunk.overlap for chunk in self.chunks)

    def clipped(self, chunk: Chunk) -> list[Chunk]:
        """What of a chunk may be looked at."""
        if self.ranges is None:
            return [chunk]
        ranges = self._ranges_by_file[chunk.file]
        return [
            self._part(chunk, start, end)
            for _, start, end in clip(chunk.file, chunk.start, chunk.end, ranges)
        ]

    def _part(self, chunk: Chunk, start: int, end: int) -> Chunk:
        """A piece of a chunk with its own count of tokens."""
        if (start, end) == (chunk.start, chunk.end):
            return chunk
        tokens = self._count(self.library.passage(chunk.file, start, end).text)
        overlap = min(chunk.overlap, tokens) if start == chunk.start else 0
        return replace(chunk, start=start, end=end, tokens=tokens, overlap=overlap)

    @cached_property
    def _ranges_by_file(self) -> dict[int, list[Range]]:
        ranges: defaultdict[int, list[Range]] = defaultdict(list)
        for one in self.ranges or ():
            ranges[one[0]].append(one)
        return ranges

    def position(self, file: int, start: int) -> tuple[int, int]:
        """Sorts as the documents are ordered."""
        return self._order[file], start

    def passage(self, span: Span) -> Passage:
        return self.library.passage(span.file, span.start, span.end)

    def where(self, file: int, start: int) -> str:
        """As people read it: "letters.txt, page 318"."""
        return f"{self._names[file]}, {self.library.place(file, start)}"

    def name(self, file: int) -> str:
        return self._names[file]

    def chunks_within(self, file: int, start: int, end: int) -> list[Chunk]:
        """The chunks that lie in a run of characters."""
        return [self.chunks[at] for at in self._within(file, start, end)]

    def window_of(self, file: int, start: int) -> int:
        """The index of the last window that begins at or before a character."""
        return max(0, bisect_right(self._window_starts, self.position(file, start)) - 1)

    @cached_property
    def _starts(self) -> list[tuple[int, int]]:
        return [self.position(chunk.file, chunk.start) for chunk in self.chunks]

    @cached_property
    def _ends(self) -> list[tuple[int, int]]:
        return [self.position(chunk.file, chunk.end) for chunk in self.chunks]

    @cached_property
    def _window_starts(self) -> list[tuple[int, int]]:
        return [self.position(window.file, window.start) for window in self.windows]

    def _within(self, file: int, start: int, end: int) -> range:
        first = bisect_left(self._starts, self.position(file, start))
        return range(first, max(first, bisect_right(self._ends, self.position(file, end))))

    # What has been looked at.

    @cached_property
    def _looked_at(self) -> bytearray:
        return bytearray(len(self.chunks))

    def looked_at(self, file: int, start: int, end: int) -> None:
        """A model has been shown these characters."""
        for at in self._within(file, start, end):
            self._looked_at[at] = 1

    def coverage(self) -> Coverage:
        new = [chunk.tokens - chunk.overlap for chunk in self.chunks]
        read = sum(count for count, seen in zip(new, self._looked_at, strict=True) if seen)
        total = max(1, sum(new))
        tokens_read = round(self.tokens * read / total)
        windows = len(self.windows) if self.windows_read else 0
        return Coverage(self.tokens, tokens_read, windows, len(self.windows_read))
