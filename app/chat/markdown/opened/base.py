"""What growing blocks have in common, and what a line may be that continues them or not."""

import re
from abc import ABC, abstractmethod

from textual.strip import Strip

from app.chat.markdown.blocks import Block
from app.chat.markdown.cells import TAB
from app.chat.markdown.frame import Frame
from app.chat.markdown.parser import read_nodes

# Characters of a line that decide whether it begins a block.
_BEGINNING = 200

_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)")
_MARKS = re.compile(r"[-*+_=~`#>|:\s]+")
_NUMBER = re.compile(r"\s*\d{1,9}[.)]?\s*")


class Open(ABC):
    """A growing block. `head`: the lines that were read to know it, and are not taken again."""

    block: Block
    head = 0
    in_paragraph = False
    changes_when_closed = False

    @abstractmethod
    def take(self, line: str) -> list[str] | None:
        """Takes a complete line. None: the block goes on. Else it has ended, and these lines are left."""

    @abstractmethod
    def rest(self, text: str) -> bool:
        """Takes the line being written; False when it does not belong to the block."""

    @abstractmethod
    def draw(self, frame: Frame) -> list[Strip]:
        """The lines so far, equal to those of `drawing.draw` on the same block."""

    def close(self) -> None:
        """Makes `block` complete."""
        self.rest("")


def may_be_marks(text: str) -> bool:
    """Whether a line being written is only marks so far, so that it may become anything."""
    return bool(_MARKS.fullmatch(text))


def may_be_number(text: str) -> bool:
    """Whether a line being written may become an item of an ordered list."""
    return bool(_NUMBER.fullmatch(text))


def continues_paragraph(line: str) -> bool:
    """Whether a line without the marks of a paragraph's container is more of it, and begins nothing."""
    if _ITEM.match(line):
        return False  # even a number other than 1, which a paragraph outside of containers would take in
    return goes_on(line)


def goes_on(line: str) -> bool:
    """Whether a line after a paragraph in the same container is more of it."""
    if line.lstrip()[:1].isalpha():
        return True
    nodes = read_nodes("x\n" + line[:_BEGINNING])
    return len(nodes) == 1 and (nodes[0].kind == "paragraph" or not line.strip(" ="))


def without_indent(line: str, columns: int) -> str | None:
    """`line` without so many columns of indentation; None when it has fewer, "" for a blank line."""
    column = 0
    for index, character in enumerate(line):
        if column >= columns:
            return " " * (column - columns) + line[index:]
        if character not in " \t":
            return None
        column += TAB - column % TAB if character == "\t" else 1
    return " " * max(0, column - columns)
