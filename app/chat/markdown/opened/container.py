"""Block quotes and list items that grow: what is in them grows by itself, without their marks."""

import re
from abc import abstractmethod
from typing import TYPE_CHECKING

from textual.strip import Strip

from app.chat.markdown.blocks import Item, Quote
from app.chat.markdown.cells import TAB
from app.chat.markdown.drawing import item_frame, quote_frame
from app.chat.markdown.frame import Frame
from app.chat.markdown.opened.base import (
    Open,
    continues_paragraph,
    may_be_marks,
    may_be_number,
    without_indent,
)
from app.chat.markdown.parser import split_task

if TYPE_CHECKING:
    from app.chat.markdown.growing import Grower

_MARKER = re.compile(r"( {0,3})([-+*]|\d{1,9}[.)])( *)")
_INDENTATION = re.compile(r"[ \t]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)?")
_QUOTE = re.compile(r" {0,3}> ?")


class Container(Open):
    """A block of blocks: the text without its marks grows in a `Grower` of its own."""

    def __init__(self, block: Quote | Item, inner: "Grower") -> None:
        self.block = self._container = block
        self.inner = inner

    @property
    def in_paragraph(self) -> bool:  # type: ignore[override]
        return self.inner.in_paragraph

    @abstractmethod
    def _inside(self, line: str) -> str | None:
        """What of a line is within the container; None when it has not its marks."""

    def take(self, line: str) -> list[str] | None:
        inside = self._inside(line)
        if inside is None and line.strip() and self.in_paragraph and continues_paragraph(line):
            inside = line.strip()
        if inside is None:
            return [line]
        self.inner.line(inside)
        return None

    def rest(self, text: str) -> bool:
        inside = self._inside(text)
        if inside is None and (not text.strip() or may_be_marks(text) or may_be_number(text)):
            inside = ""
        elif inside is None and self.in_paragraph and continues_paragraph(text):
            inside = text.strip()
        self.inner.rest(inside or "")
        return inside is not None

    def close(self) -> None:
        self._container.children = self.inner.close()


class OpenQuote(Container):
    """A block quote."""

    def __init__(self, gap: bool, inner: "Grower") -> None:
        super().__init__(Quote(gap), inner)

    def _inside(self, line: str) -> str | None:
        match = _QUOTE.match(_spaces(line))
        return _spaces(line)[match.end() :] if match else None

    def draw(self, frame: Frame) -> list[Strip]:
        return self.inner.draw(quote_frame(frame))


class OpenItem(Container):
    """One item of a list."""

    def __init__(self, gap: bool, line: str, inner: "Grower") -> None:
        match = _MARKER.match(_spaces(line))
        marker = match[2] if match else "-"
        number = int(marker[:-1]) if marker[:-1] else None
        super().__init__(Item(gap, number, marker[-1]), inner)
        self._item = self.block
        self._is_first = True
        self._offset = 0  # columns before the text of the item

    def take(self, line: str) -> list[str] | None:
        if not line.strip() and self.inner.is_empty and not self._is_first:
            return [line]
        left = super().take(line)
        self._is_first = False
        return left

    def _inside(self, line: str) -> str | None:
        return self._first(_spaces(line)) if self._is_first else without_indent(line, self._offset)

    def _first(self, line: str) -> str:
        match = _MARKER.match(line)
        if not match:
            return line
        begin = match.end(2)
        spaces = len(match[3])
        self._offset = begin + (1 if match.end() == len(line) or spaces > 4 else spaces)
        assert isinstance(self._item, Item)
        self._item.checked, text = split_task(line[self._offset :])
        return text

    def draw(self, frame: Frame) -> list[Strip]:
        assert isinstance(self._item, Item)
        strips, inner = item_frame(self._item, frame)
        return [*strips, *self.inner.draw(inner)]


def _spaces(line: str) -> str:
    """`line` with the tabs of its indentation, and those after a list marker, as spaces."""
    if "\t" not in line:
        return line
    match = _INDENTATION.match(line)
    end = match.end() if match else 0
    return line[:end].expandtabs(TAB) + line[end:]
