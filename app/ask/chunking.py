"""Cutting a text into chunks of whole sentences, each with an exact count of tokens.

A chunk ends, of the places that fill it well, at the best: before a heading, after a paragraph,
after a sentence. It begins with the last sentences of the one before it, as many as the overlap
holds, but not across a heading. A sentence that is larger than a chunk is cut at line ends, else at
spaces, else anywhere: a table without full stops is one such.

The text is read in blocks whose borders depend on the text around them alone, so that memory does
not grow with the text and a cut can go on after any chunk as if it had never stopped.

`semantic-text-splitter` does much of this and was not taken: with Qwen2's tokenizer it needs 12 s
for a million tokens where this needs 4, minutes for a megabyte without spaces, and it counts a
control token's text as one token, so that chunks come out larger than asked for.
"""

import hashlib
import json
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from app.ask.documents.document import Heading
from app.ask.sentences import sentences
from qwen2_mlx.tokenizer import Tokenizer

#: Of what this module does to a text. Raise it when equal settings cut differently than before.
CUTTER_VERSION = 1

#: Characters of a block, and how far before its end a good border is looked for.
BLOCK, REACH = 1 << 16, 1 << 13

#: The part of a chunk that must be full before it ends early for the sake of a better place.
_FULL = 0.7

#: Of the path of headings, which may be anything.
_LONGEST_PATH = 300

#: How good a place to begin a chunk is: inside a sentence, or what stands before one.
_INSIDE, _SENTENCE, _LINE, _PARAGRAPH, _HEADING = range(5)

#: Characters of a sentence that is none, but lines of a table or list.
_LONG = 600

_SENTENCE_ENDS = ".!?…。！？｡；:：\"'”’»)]」』）】》"

_LINE_OF_TEXT = re.compile(r"\S(?:[^\n]*\S)?")
_WIDE_GAP = re.compile(r"[^\S\n]{64,}")


class Text(Protocol):
    """A text that need not be in memory: a `str`, or one that is read as it is sliced."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Characters `start` to `end` are `tokens` tokens, `overlap` of them in the cut before too.

    From `overlap` the tokens of the white space between the two are taken off, so it may be below 0.
    `heading` is the path of headings that the cut's first character stands under ("" under none).
    """

    start: int
    end: int
    tokens: int
    overlap: int
    heading: str


class Cutter:
    """Cuts texts into chunks of at most `size` tokens, which overlap by at most `overlap`."""

    def __init__(self, tokenizer: Tokenizer, size: int = 400, overlap: int = 60):
        """Raises `ValueError` for an overlap that is not below the size."""
        if not 0 <= overlap < size:
            raise ValueError(f"an overlap of {overlap} tokens does not fit chunks of {size}")
        self.tokenizer, self.size, self.overlap = tokenizer, size, overlap

    @cached_property
    def key(self) -> str:
        """Equal keys cut equal texts alike: a hash of the tokenizer, the settings and the method."""
        facts = json.dumps([CUTTER_VERSION, self.tokenizer.fingerprint, self.size, self.overlap])
        return hashlib.sha256(facts.encode()).hexdigest()

    def cut(
        self, text: Text, headings: Sequence[Heading] = (), after: tuple[int, int] | None = None
    ) -> Iterator[Cut]:
        """The chunks in order, without white space at their ends; all else of the text is in one.

        `after` is (start, end) of a chunk of this text: only those that follow it are cut.
        """
        paths = _Paths(headings)
        units = _Queue(self._units(text, after[0] if after else 0, paths.starts))
        fresh = 0  # units of the queue from here on are in no chunk yet
        if after:
            fresh = units.count_until(after[1])
            fresh -= units.drop(fresh - self._shared(units, text, fresh))
        while units.fill(fresh + 1):
            first, end, tokens = self._choose(units, text, fresh)
            units.drop(first)
            end, fresh = end - first, fresh - first
            start = units[0].start
            overlap = tokens - sum(unit.tokens for unit in units.slice(fresh, end)) if fresh else 0
            yield Cut(start, units[end - 1].end, tokens, overlap, paths.at(start))
            fresh = end - units.drop(end - self._shared(units, text, end))

    def _choose(self, units: "_Queue", text: Text, fresh: int) -> tuple[int, int, int]:
        """A chunk of the units `first` to `end`, and its tokens. It holds at least the unit `fresh`."""
        first, end = 0, self._best_end(units, fresh)
        while True:
            tokens = self.tokenizer.count(text[units[first].start : units[end - 1].end])
            if tokens <= self.size or (first == fresh and end == fresh + 1):
                return first, end, tokens
            if end > fresh + 1:  # joined, they are a few tokens more than one by one
                end -= 1
            else:
                first += 1

    def _best_end(self, units: "_Queue", fresh: int) -> int:
        """Where a chunk that begins at unit 0 should end, by the sizes of its units one by one."""
        total, end, best, best_rank = 0, 0, fresh + 1, _INSIDE
        while units.fill(end + 1):
            total += units[end].tokens
            end += 1
            if total > self.size and end > fresh + 1:
                break
            rank = units[end].rank if units.fill(end + 1) else _HEADING
            if total < _FULL * self.size:
                best = max(best, end)
            elif end > fresh and rank >= best_rank:
                best, best_rank = end, rank
        return best

    def _shared(self, units: "_Queue", text: Text, end: int) -> int:
        """How many of the units before `end` the next chunk should repeat."""
        if not units.fill(end + 1) or units[end].rank == _HEADING:
            return 0
        room, shared = min(self.overlap, self.size - units[end].tokens), 0
        # The first unit begins its chunk, which then would be repeated as a whole.
        while shared < end - 1 and (room := room - units[end - 1 - shared].tokens) >= 0:
            shared += 1
        last, count = units[end - 1].end, self.tokenizer.count
        while shared and count(text[units[end - shared].start : last]) > self.overlap:
            shared -= 1  # the first one has a few tokens more without the space before it
        return shared

    def _units(self, text: Text, start: int, headings: Sequence[int]) -> Iterator["_Unit"]:
        """The sentences from character `start` on; `headings` are where headings begin."""
        number = start // BLOCK
        if _border(text, number + 1) <= start:
            number += 1
        position = _border(text, number)
        while position < len(text):
            end = _border(text, number + 1)
            for unit in self._units_of(text[position:end], position, headings):
                if unit.start >= start:
                    yield unit
            position, number = end, number + 1

    def _units_of(self, block: str, offset: int, headings: Sequence[int]) -> Iterator["_Unit"]:
        """The sentences of one block, which begins at character `offset` of the text."""
        even = _WIDE_GAP.sub(lambda gap: "\n" * len(gap.group()), block)
        spans = [line for start, end in sentences(even) for line in _lines(block, start, end)]
        befores = [0, *(end for _, end in spans)]
        texts = [block[before:end] for before, (_, end) in zip(befores, spans, strict=False)]
        counts = self.tokenizer.counts(texts)
        for before, (start, end), count in zip(befores, spans, counts, strict=False):
            rank = _rank(block, before, start)
            if bisect_right(headings, offset + start) > bisect_left(headings, offset + before):
                rank = _HEADING
            for piece_start, piece_end, tokens in self._pieces(block, start, end, count):
                yield _Unit(offset + piece_start, offset + piece_end, tokens, rank)
                rank = _INSIDE

    def _pieces(self, block: str, start: int, end: int, count: int) -> list[tuple[int, int, int]]:
        """A sentence as pieces (start, end, tokens) that fit a chunk, most often one.

        `count` are its tokens with the white space before it, without which it may have a few more.
        """
        if count <= self.size // 2:
            return [(start, end, count)]
        if (alone := self.tokenizer.count(block[start:end])) <= self.size:
            return [(start, end, max(alone, min(count, self.size)))]
        done: list[tuple[int, int, int]] = []
        todo = [(start, end)]
        while todo:
            counts = self.tokenizer.counts([block[left:right] for left, right in todo])
            split: list[tuple[int, int]] = []
            for (left, right), count in zip(todo, counts, strict=True):
                if count <= max(1, self.size // 4) or right - left == 1:
                    done.append((left, right, count))
                else:
                    split += _halves(block, left, right)
            todo = split
        return sorted(done)


class _Unit(NamedTuple):
    """A sentence, or a piece of one. `tokens` are those of the white space before it too."""

    start: int
    end: int
    tokens: int
    rank: int  # what stands before it


class _Queue:
    """Units from the start of the present chunk on, read as they are needed."""

    def __init__(self, units: Iterator[_Unit]):
        self._source = units
        self._held: deque[_Unit] = deque()

    def fill(self, count: int) -> bool:
        """Whether there are so many."""
        while len(self._held) < count:
            unit = next(self._source, None)
            if unit is None:
                return False
            self._held.append(unit)
        return True

    def __getitem__(self, index: int) -> _Unit:
        return self._held[index]

    def slice(self, start: int, end: int) -> list[_Unit]:
        return [self._held[index] for index in range(start, end)]

    def drop(self, count: int) -> int:
        """Forgets the first `count`, and returns the number."""
        for _ in range(count):
            self._held.popleft()
        return count

    def count_until(self, end: int) -> int:
        """How many stand before character `end`."""
        count = 0
        while self.fill(count + 1) and self[count].start < end:
            count += 1
        return count


class _Paths:
    """The headings above a character, for characters that are asked for in order."""

    def __init__(self, headings: Sequence[Heading]):
        self._headings = sorted(headings, key=lambda heading: heading.start)
        self.starts = [heading.start for heading in self._headings]
        self._next = 0
        self._open: list[Heading] = []

    def at(self, position: int) -> str:
        while self._next < len(self._headings) and self.starts[self._next] <= position:
            heading = self._headings[self._next]
            while self._open and self._open[-1].level >= heading.level:
                self._open.pop()
            self._open.append(heading)
            self._next += 1
        path = " > ".join(" ".join(heading.title.split()) for heading in self._open[-8:])
        return path[-_LONGEST_PATH:]


def _rank(block: str, end: int, start: int) -> int:
    """How good it is to begin at `start`, where the text before it ends at `end`."""
    if breaks := block.count("\n", end, start):
        return _LINE if breaks == 1 else _PARAGRAPH
    return _SENTENCE if end == 0 or block[end - 1] in _SENTENCE_ENDS else _INSIDE


def _lines(block: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence as it is, or the lines of one that is too long to be one."""
    if end - start <= _LONG:
        yield start, end
        return
    for line in _LINE_OF_TEXT.finditer(block, start, end):
        yield line.span()


def _halves(block: str, start: int, end: int) -> list[tuple[int, int]]:
    """Two parts without white space around them, cut near the middle where that does least harm."""
    third = (end - start) // 3
    for mark in ("\n", " "):
        if (found := block.rfind(mark, start + third, end - third)) > start:
            middle = found
            break
    else:
        middle = (start + end) // 2
    halves = []
    for left, right in ((start, middle), (middle, end)):
        part = block[left:right]
        left += len(part) - len(part.lstrip())
        if stripped := part.strip():
            halves.append((left, left + len(stripped)))
    return halves


def _border(text: Text, number: int) -> int:
    """Where block `number` begins: near a multiple of `BLOCK`, before white space if there is any.

    A paragraph's end is best, then a line's, then a word's. It depends on the characters there and
    on nothing else.
    """
    near = number * BLOCK
    if near <= 0 or near >= len(text):
        return min(max(near, 0), len(text))
    before = text[near - REACH : near]
    for mark in ("\n\n", "\n", "。", ". ", " "):
        if (found := before.rfind(mark)) > 0:
            kept = before[: found + (1 if mark in ("。", ". ") else 0)].rstrip()
            return near - REACH + (len(kept) or found)
    return near
