"""The words of a PDF page and where they stand, as the page is shown."""

import ctypes
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from app.ask.documents.pdf_flow import plain_letters
from app.ask.documents.pdf_layout import Line, Word, lines_of
from app.ask.documents.writer import clean

# PDFium writes a hyphen at the end of a line as one of these and leaves the line break out.
_WORD = re.compile("[^\\s\xa0\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_LINE_END_HYPHENS = str.maketrans({"\x02": "-", "\ufffe": "-"})

_NO_LETTER = re.compile("[\0-\x01\x03-\x08\x0e-\x1f\ue000-\uf8ff\ufffd]")
_UNREADABLE = 0.3  # of the characters of a page: its fonts have no table of letters
_FEW = 20  # characters, too few to tell
_FARTHEST = 1e6  # points; numbers beyond are damage


class Box(NamedTuple):
    """A box in the page's own coordinates: y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class PageLines:
    """What is written on a page: `lines`, and `aside` what runs in another direction."""

    lines: list[Line] = field(default_factory=list)
    aside: list[Line] = field(default_factory=list)
    width: float = 0.0  # of the page
    height: float = 0.0
    letters: int = 0
    unreadable: bool = False


@dataclass(frozen=True)
class _Frame:
    """How a page is turned to be read: `turns` quarters clockwise."""

    box: Box
    turns: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        left, bottom, right, top = self.box
        return (top - bottom, right - left) if self.turns % 2 else (right - left, top - bottom)

    def word(self, text: str, box: Box) -> Word:
        """The word in the coordinates of `pdf_layout`."""
        page = self.box
        if self.turns == 0:
            sides = box.left - page.left, page.top - box.top, box.right - page.left, page.top - box.bottom
        elif self.turns == 1:
            sides = (
                box.bottom - page.bottom,
                box.left - page.left,
                box.top - page.bottom,
                box.right - page.left,
            )
        elif self.turns == 2:
            sides = (
                page.right - box.right,
                box.bottom - page.bottom,
                page.right - box.left,
                box.top - page.bottom,
            )
        else:
            sides = page.top - box.top, page.right - box.right, page.top - box.bottom, page.right - box.left
        return Word(text, *sides)


class _Placed(NamedTuple):
    """A word as the file has it; `way` says by how many quarters clockwise to turn the page so that it
    is level, None for a single letter."""

    text: str
    box: Box
    way: int | None


def page_lines(page: pdfium.PdfPage, text_page: pdfium.PdfTextPage) -> PageLines:
    """The lines of a page in the order of the file, in the coordinates of `pdf_layout`."""
    characters = _characters(text_page)
    page_box = Box(*page.get_bbox())
    words = list(_placed(text_page, characters, page_box))
    frame = _Frame(page_box, _main_direction(words))
    level = (frame.turns, None)
    letters = sum(len(word.text) for word in words)
    return PageLines(
        lines_of(frame.word(word.text, word.box) for word in words if word.way in level),
        _aside([word.text for word in words if word.way not in level]),
        *frame.size,
        letters,
        letters >= _FEW and len(_NO_LETTER.findall(characters)) > _UNREADABLE * letters,
    )


def _characters(text_page: pdfium.PdfTextPage) -> str:
    """The characters of the page, one for each of PDFium's indices."""
    count = text_page.count_chars()
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    raw.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer)[: 2 * count].decode("utf-16-le", "replace")
    if len(text) == count and "\0" not in text:
        return text
    codes = (raw.FPDFText_GetUnicode(text_page, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else "\ufffd" for code in codes)


def _placed(text_page: pdfium.PdfTextPage, characters: str, page: Box) -> Iterator[_Placed]:
    """The words that stand on the page; printers' marks and hidden text may stand beside it.

    This runs for every word of every PDF and takes most of our time, so it calls PDFium directly and
    only for the first and the last letter.
    """
    is_plain = characters.isascii() and clean(characters) == characters.replace("\r\n", "\n")
    rectangle = raw.FS_RECTF()
    pointer = ctypes.byref(rectangle)
    handle, letter_box = text_page.raw, raw.FPDFText_GetLooseCharBox
    for match in _WORD.finditer(characters):
        text, (start, end) = match[0], match.span()
        if not is_plain:
            text = plain_letters(clean(text.translate(_LINE_END_HYPHENS)))
        if not text or not letter_box(handle, start, pointer):
            continue
        left, bottom, right, top = rectangle.left, rectangle.bottom, rectangle.right, rectangle.top
        way = None
        if end - start > 1 and letter_box(handle, end - 1, pointer):
            way = _way(rectangle.left + rectangle.right - left - right, rectangle.top - top)
            left, right = min(left, rectangle.left), max(right, rectangle.right)
            bottom, top = min(bottom, rectangle.bottom), max(top, rectangle.top)
        box = Box(left, bottom, right, top)
        if _stands_on(box, page):
            yield _Placed(text, box, way)


def _stands_on(box: Box, page: Box) -> bool:
    """Whether the box has a sound size and overlaps the page. A side that is no number fails."""
    left, bottom, right, top = box
    across = page.left < right < _FARTHEST and -_FARTHEST < left < page.right and left <= right
    return across and page.bottom < top < _FARTHEST and -_FARTHEST < bottom < page.top and bottom < top


def _way(right: float, up: float) -> int:
    """Quarters clockwise for writing that runs twice `right` to the right and `up` upwards."""
    if abs(right) >= 2 * abs(up):
        return 0 if right >= 0 else 2
    return 1 if up > 0 else 3


def _main_direction(words: Iterable[_Placed]) -> int:
    letters = [0, 0, 0, 0]
    for text, _, way in words:
        if way is not None:
            letters[way] += len(text)
    return max(range(4), key=letters.__getitem__)


def _aside(words: list[str]) -> list[Line]:
    """Stamps along the margin and the like: one line, below everything else."""
    if not words:
        return []
    below = 2 * _FARTHEST
    return [Line(" ".join(words), 0.0, below, 0.0, below + 1, size=1.0, edge=_FARTHEST)]
