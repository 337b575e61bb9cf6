"""PDF files, read with PDFium: page by page, with the printed page labels."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from app.ask.documents.document import Document
from app.ask.documents.limits import MOST_PAGE_CHARACTERS, MOST_PAGES
from app.ask.documents.pdf_flow import Flow
from app.ask.documents.pdf_headings import LargeLines, outline, start_of, written
from app.ask.documents.pdf_layout import Line, reading_order
from app.ask.documents.pdf_margins import NEIGHBOURS, Margins, margins_of, without_running
from app.ask.documents.pdf_words import PageLines, page_lines
from app.ask.documents.source import Source
from app.ask.documents.writer import Writer
from qwen2_mlx.errors import Qwen2Error

#: Called with the number of pages read and of all pages.
Progress = Callable[[int, int], None]

#: PDFium serves one thread at a time.
_PDFIUM = threading.Lock()


@dataclass(frozen=True)
class _Page:
    """What was found on a page before its neighbours are known."""

    lines: list[Line]
    aside: list[Line]
    width: float
    margins: Margins
    scanned: bool
    unreadable: bool


def read_pdf(source: Source, progress: Progress | None = None) -> Document:
    """A PDF, unit "page"; `progress` is called after each page.

    Raises `Qwen2Error` for a file that is encrypted, damaged or has no text at all.
    """
    with _PDFIUM, source.parsed_as("PDF"):
        file = _open(source)
        try:
            return _Reader(source, file, progress).document()
        finally:
            file.close()


def _open(source: Source) -> pdfium.PdfDocument:
    try:
        file = pdfium.PdfDocument(source.data)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Qwen2Error(
                f"{source.name} is encrypted; open it with its password and save a copy without one"
            ) from None
        raise
    if not 0 < (pages := len(file)) <= MOST_PAGES:
        file.close()
        raise Qwen2Error(f"{source.name} has {pages} pages; 1 to {MOST_PAGES} can be read")
    return file


class _Reader:
    """Reads one file from its first page to its last."""

    def __init__(self, source: Source, file: pdfium.PdfDocument, progress: Progress | None) -> None:
        self._source = source
        self._file = file
        self._progress = progress
        self._writer = Writer(source)
        self._flow = Flow()
        self._large = LargeLines()
        self._outline = outline(file)
        self._scanned: list[int] = []
        self._unreadable: list[int] = []
        self._crowded: list[int] = []
        self._damaged: list[int] = []

    def document(self) -> Document:
        for page, neighbours in self._with_neighbours():
            self._write(page, neighbours)
        if not self._outline:
            for start, title, level in self._large.headings():
                self._writer.mark(start, title, level)
        if not self._writer.length and len(self._scanned) == len(self._file):
            raise Qwen2Error(
                f"{self._source.name} has no text layer (a scan?); run text recognition on it first,"
                " for example with ocrmypdf"
            )
        return self._writer.document("pdf", "page", self._warnings())

    def _with_neighbours(self) -> Iterator[tuple[_Page, list[Margins]]]:
        """Each page with the margins of those around it; only these few pages are held at a time."""
        window: deque[_Page] = deque()
        done = 0
        for page in self._pages():
            window.append(page)
            if len(window) - done > NEIGHBOURS:
                yield window[done], _around(window, done)
                done += 1
            if done > NEIGHBOURS:
                window.popleft()
                done -= 1
        while done < len(window):
            yield window[done], _around(window, done)
            done += 1

    def _pages(self) -> Iterator[_Page]:
        count = len(self._file)
        for index in range(count):
            try:
                page = self._file[index]
            except pdfium.PdfiumError:
                self._damaged.append(index + 1)
                yield _missing(index + 1)
            else:
                try:
                    yield self._read(page, index)
                finally:
                    page.close()
            if self._progress is not None:
                self._progress(index + 1, count)

    def _read(self, page: pdfium.PdfPage, index: int) -> _Page:
        number, label = index + 1, written(partial(self._file.get_page_label, index)).strip()
        text_page = page.get_textpage()
        try:
            if text_page.count_chars() > MOST_PAGE_CHARACTERS:
                self._crowded.append(number)
                found = PageLines()
            else:
                found = page_lines(page, text_page)
        finally:
            text_page.close()
        return _Page(
            found.lines,
            found.aside,
            found.width,
            margins_of(found.lines, found.height, number, label),
            scanned=not found.letters and number not in self._crowded and _has_image(page),
            unreadable=found.unreadable,
        )

    def _write(self, page: _Page, neighbours: list[Margins]) -> None:
        margins, writer = page.margins, self._writer
        if page.scanned:
            self._scanned.append(margins.number)
        if page.unreadable:
            self._unreadable.append(margins.number)
        lines = reading_order(without_running(page.lines, margins, neighbours), page.width)
        lines += page.aside
        text, starts = self._flow.text(lines)
        writer.page(margins.number, margins.label)
        start = writer.length
        writer.add(text, "\n")
        self._large.add(lines, [start + at for at in starts])
        for title, level in self._outline.get(margins.number, ()):
            writer.mark(start + start_of(title, text), title, level)

    def _warnings(self) -> list[str]:
        return [
            f"{_pages(pages)} {what}: {page_ranges(pages)}"
            for pages, what in (
                (self._damaged, "damage and cannot be read"),
                (self._scanned, "no text layer (scans?)"),
                (self._unreadable, "letters without a meaning (a font without a table)"),
                (self._crowded, f"more than {MOST_PAGE_CHARACTERS:,} characters, which were left out"),
            )
            if pages
        ]


def _pages(pages: Sequence[int]) -> str:
    return "1 page has" if len(pages) == 1 else f"{len(pages):,} pages have"


def page_ranges(pages: Sequence[int]) -> str:
    """Ascending page numbers as people write them: "3, 40-51"."""
    ranges: list[list[int]] = []
    for page in pages:
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _missing(number: int) -> _Page:
    """In the place of a page that cannot be read."""
    return _Page([], [], 0.0, Margins(number, "", ()), scanned=False, unreadable=False)


def _around(window: Sequence[_Page], index: int) -> list[Margins]:
    near = range(max(0, index - NEIGHBOURS), min(len(window), index + NEIGHBOURS + 1))
    return [window[i].margins for i in near if i != index]


def _has_image(page: pdfium.PdfPage) -> bool:
    return next(iter(page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=3)), None) is not None
