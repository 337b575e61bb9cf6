"""Headings of a PDF: its outline, else what is set in larger type."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import pypdfium2 as pdfium

from app.ask.documents.pdf_layout import Line
from app.ask.documents.writer import clean

_LARGE = 1.15  # times the usual size
_LONGEST = 150  # characters of a heading
_MOST = 20_000  # headings, and entries of an outline
_TOO_MANY = 0.2  # of all lines: then size says something else
_DEEPEST = 6


def outline(file: pdfium.PdfDocument) -> dict[int, list[tuple[str, int]]]:
    """Page number to the titles and levels of the outline's entries that lead there."""
    entries: dict[int, list[tuple[str, int]]] = {}
    for count, mark in enumerate(file.get_toc(max_depth=_DEEPEST)):
        if count == _MOST:
            break
        target = mark.get_dest()
        index = target.get_index() if target is not None else None
        title = " ".join(written(mark.get_title).split())[:_LONGEST]
        if index is not None and title:
            entries.setdefault(index + 1, []).append((title, mark.level + 1))
    return entries


def written(read: Callable[[], str | None]) -> str:
    """What a title or label says; "" where PDFium's text is none, for which no page may be lost."""
    try:
        return clean(read() or "")
    except UnicodeError:
        return ""


def start_of(title: str, text: str) -> int:
    """Where the title stands in the text of its page, however it is broken into lines; else 0."""
    match = re.search(r"\s+".join(map(re.escape, title.split())), text, re.I)
    return match.start() if match else 0


class LargeLines:
    """Collects the lines in larger type, page by page."""

    def __init__(self) -> None:
        self._sizes: Counter[float] = Counter()  # weighted by letters
        self._lines = 0
        self._large: list[tuple[int, float, str]] = []

    def add(self, lines: Sequence[Line], starts: Sequence[int]) -> None:
        """The lines of a page and where in the document they begin."""
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
        self._lines += len(lines)
        self._sizes.update(sizes)
        usual = self._sizes.most_common(1)[0][0] if self._sizes else 0.0
        for line, start in zip(lines, starts, strict=True):
            size = round(line.size, 1)
            if size > _LARGE * usual and len(line.text) <= _LONGEST and len(self._large) < _MOST:
                self._large.append((start, size, line.text))

    def headings(self) -> list[tuple[int, str, int]]:
        """Start, title and level: the larger, the higher."""
        usual = self._sizes.most_common(1)[0][0] if self._sizes else 0.0
        large = [entry for entry in self._large if entry[1] > _LARGE * usual]
        if len(large) > _TOO_MANY * self._lines:
            return []
        sizes = sorted({size for _, size, _ in large}, reverse=True)
        ranks = {size: rank for rank, size in enumerate(sizes, 1)}
        return [
            (start, " ".join(text.split()), min(ranks[size], _DEEPEST))
            for start, size, text in large
            if any(letter.isalpha() for letter in text)
        ]
