"""The blocks that a Markdown text consists of, before anything is known of a width.

Lists are not blocks of their own: an `Item` carries its marker, and whether a blank line stands
before a block is read from the source. So each block is drawn by itself, and what follows later
never changes it, which a stream depends on. (CommonMark decides for a list as a whole whether
its items stand apart, after the last of them.)
"""

from dataclasses import dataclass, field
from typing import Literal

#: (start, end, pygments token type) of the coloured parts of a line of code.
Colours = list[tuple[int, int, object]]

Alignment = Literal["left", "right", "center"]


@dataclass
class Block:
    """`gap`: whether a blank line stands before it in the source."""

    gap: bool


@dataclass
class Prose(Block):
    """A paragraph (`level` 0) or heading: inline Markdown in pieces that are read by themselves."""

    level: int
    pieces: list[str]


@dataclass
class Plain(Block):
    """Lines shown as they are: what is nested too deeply, or too long, to be read as Markdown."""

    lines: list[str]


@dataclass
class Code(Block):
    """A code block: its number in the text, the language named (or ""), its lines and their colours."""

    number: int
    language: str
    lines: list[str]
    colours: list[Colours] | None = None


@dataclass
class Table(Block):
    """Rows of cells of inline Markdown; all have as many cells as `header`."""

    alignment: list[Alignment]
    header: list[str]
    rows: list[list[str]]


@dataclass
class Line(Block):
    """A thematic break."""


@dataclass
class Quote(Block):
    """A block quote."""

    children: list[Block] = field(default_factory=list)


@dataclass
class Item(Block):
    """A list item. `number` is None for a bullet; `checked` is None without a task box."""

    number: int | None
    delimiter: str
    checked: bool | None = None
    children: list[Block] = field(default_factory=list)


def gap_between(before: Block, block: Block) -> bool:
    """Whether a blank line is drawn between two neighbours."""
    return block.gap or any(_stands_alone(each) for each in (before, block)) or _is_heading(block)


def _stands_alone(block: Block) -> bool:
    return isinstance(block, Code | Table | Line | Quote | Plain)


def _is_heading(block: Block) -> bool:
    return isinstance(block, Prose) and block.level > 0
