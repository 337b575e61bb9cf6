"""Running headers, footers and page numbers, which would else stand in the middle of sentences.

A line is one when the same words stand at the same height on neighbouring pages, apart from the text,
or when it is the number of its page. Numbers in it may stay or grow with the pages, nothing else: a
first line that only looks alike ("Station 7", "Station 9") is text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.ask.documents.pdf_layout import CELLS_APART, Line, joined_rows

_ZONE = 0.15  # of the height of the page, at its top and at its bottom
_MOST_ROWS = 3  # of a header or footer
_APART = 0.4  # sizes of white between a header and the text
_SAME_HEIGHT = 4.0  # points between the places of a header on two pages
_LARGE = 1.2  # times the usual size: it may be a heading

#: Pages before and after a page that are compared with it: odd and even ones differ, first ones too.
NEIGHBOURS = 4

_NUMBER = re.compile(r"\d+|\b[ivxlcdmIVXLCDM]+\b")
_PUNCTUATION = re.compile(r"[^\w#/]+|_+")
_PAGE_NUMBER = re.compile(
    r"(?:page|p|pg|seite|s|página|pagina|第)?#(?:[页頁]|(?:of|/|von|de|sur|di|[页頁]?共)#[页頁]?)?"
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


@dataclass(frozen=True)
class Edge:
    """A row at the top or bottom of a page, with "#" for each of its numbers."""

    words: str
    numbers: tuple[int, ...]
    at: float  # points from the top of the page, or, negative, from its bottom
    apart: bool  # white separates it from the text
    large: bool  # set in larger type than the text
    row: Line


@dataclass(frozen=True)
class Margins:
    """The edges of the page `number`, on which `label` may be printed."""

    number: int
    label: str
    edges: tuple[Edge, ...]


def margins_of(lines: Sequence[Line], page_height: float, number: int, label: str) -> Margins:
    """The rows of a page that may be headers or footers."""
    rows = joined_rows(lines)
    usual = sorted(row.size for row in rows)[len(rows) // 2] if rows else 0.0
    zone = _ZONE * page_height
    top = [row for row in rows[: _MOST_ROWS + 1] if row.bottom < zone]
    bottom = [row for row in rows[: -_MOST_ROWS - 2 : -1] if row.top > page_height - zone]
    large = _LARGE * usual
    found = [_edge(row, row.top, apart, large) for row, apart in _outer(top, rows)]
    found += [_edge(row, row.bottom - page_height, apart, large) for row, apart in _outer(bottom, rows[::-1])]
    return Margins(number, label, tuple(found))


def without_running(lines: Sequence[Line], page: Margins, neighbours: Sequence[Margins]) -> list[Line]:
    """The lines of a page that are text, given the margins of the pages around it."""
    running = [edge.row for edge in page.edges if _is_running(edge, page, neighbours)]
    return [line for line in lines if not any(row.top <= line.middle <= row.bottom for row in running)]


def _outer(candidates: Sequence[Line], rows: Sequence[Line]) -> list[tuple[Line, bool]]:
    """The outermost rows, and whether white stands between them and the rows further in."""
    gaps = [_gap(row, inner) > _APART * row.size for row, inner in pairwise(rows)]
    gaps = [*gaps, True][: min(len(candidates), _MOST_ROWS)]
    last = max((index for index, wide in enumerate(gaps) if wide), default=-1)
    return [(row, index <= last) for index, row in enumerate(candidates[:_MOST_ROWS])]


def _gap(one: Line, other: Line) -> float:
    return max(one.top, other.top) - min(one.bottom, other.bottom)


def _edge(row: Line, at: float, apart: bool, large: float) -> Edge:
    numbers = tuple(_value(match[0]) for match in _NUMBER.finditer(row.text))
    words = " ".join(_NUMBER.sub("#", row.text).lower().split())
    return Edge(words, numbers, at, apart, row.size > large, row)


def _value(number: str) -> int:
    """The value of an Arabic or Roman number."""
    if number.isdecimal():
        return int(number[:9])
    digits = [_ROMAN[letter] for letter in number.lower()]
    return sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True))


def _is_running(edge: Edge, page: Margins, neighbours: Sequence[Margins]) -> bool:
    similar = sum(
        any(_same(edge, other, near.number - page.number) for other in near.edges) for near in neighbours
    )
    if _is_page_number(edge.words):
        return edge.numbers[0] in _printed(page) or similar >= 1
    if not edge.apart:
        return False
    return similar >= min(2, len(neighbours)) > 0 or _stands_beside_number(edge.row.text, page)


def _is_page_number(words: str) -> bool:
    """Whether the words of an `Edge` say no more than "page 3 of 12", in whatever punctuation."""
    return _PAGE_NUMBER.fullmatch(_PUNCTUATION.sub("", words)) is not None


def _printed(page: Margins) -> list[int]:
    """The numbers that may be printed on the page: that of the file and that of its label."""
    labels = [_value(match[0]) for match in _NUMBER.finditer(page.label)]
    return [page.number, *labels[:1]]


def _stands_beside_number(text: str, page: Margins) -> bool:
    """Whether the text begins or ends, after a wide gap, with the number of the page."""
    cells = text.split(CELLS_APART)
    outer = [cells[0], cells[-1]] if len(cells) > 1 else []
    return any(_NUMBER.fullmatch(cell) and _value(cell) in _printed(page) for cell in outer)


def _same(edge: Edge, other: Edge, distance: int) -> bool:
    """Whether both are the same header on pages that lie `distance` apart.

    Where a number in large type grows, it counts chapters, not pages.
    """
    if edge.large and edge.numbers != other.numbers and not _is_page_number(edge.words):
        return False
    return (
        edge.words == other.words
        and abs(edge.at - other.at) < _SAME_HEIGHT
        and all(
            there - here in (0, distance) for here, there in zip(edge.numbers, other.numbers, strict=True)
        )
    )
