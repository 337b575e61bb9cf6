"""Putting a document together, page by page and block by block."""

import re
from collections.abc import Iterable

from app.ask.documents.document import Document, Heading, Page
from app.ask.documents.limits import LONGEST_HEADING, MOST_CHARACTERS, MOST_HEADINGS, MOST_PAGES
from app.ask.documents.source import Source
from qwen2_mlx.errors import Qwen2Error

# C0 and C1 control characters but tab, newline and form feed; invisible hyphens and marks that would
# stand between the letters of a word; halves of surrogate pairs, which no encoding can write.
_UNWANTED = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\ufffe\uffff\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")

#: Between blocks of text: a blank line.
BLANK_LINE = "\n\n"


def clean(text: str) -> str:
    r"""`text` with "\n" as its only line end and without control and invisible characters."""
    if "\r" in text or "\u2028" in text or "\u2029" in text:
        text = _LINE_ENDS.sub("\n", text)
    return _UNWANTED.sub("", text) if _UNWANTED.search(text) else text


class Writer:
    """Collects the text, pages and headings of the document made from `source`.

    What is added must be `clean`. Before the first `page` everything belongs to page 1.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._parts: list[str] = []
        self._starts: list[tuple[int, int, str]] = []  # start, number and label of each page
        self._headings: list[Heading] = []
        self._in_rows = False
        self.length = 0  # characters so far

    def page(self, number: int, label: str = "") -> None:
        """Starts a page. Its label is kept where it says more than the number."""
        if len(self._starts) == MOST_PAGES:
            raise Qwen2Error(f"{self._source.name} has more than {MOST_PAGES} pages; split it into parts")
        self.end_rows()
        start = self.length if self._starts else 0
        self._starts.append((start, number, "" if label == str(number) else label))

    def add(self, text: str, end: str = BLANK_LINE) -> None:
        """Adds a block and, unless it is blank, what follows a block of its kind."""
        text = text.strip("\n")
        if text.strip():
            self.end_rows()
            self._append(text + end)

    def add_row(self, text: str) -> None:
        """Adds a line of a table or list, between whose lines no blank ones stand."""
        if text.strip():
            self._append(text + "\n")
            self._in_rows = True

    def end_rows(self) -> None:
        """Ends the table or list that is open, if one is."""
        if self._in_rows:
            self._in_rows = False
            self._append("\n")

    def add_exactly(self, text: str) -> None:
        """Adds text whose lines and white space mean something."""
        self._append(text)

    def heading(self, title: str, level: int) -> None:
        """Adds a block that is a heading."""
        title = " ".join(title.split())
        if title:
            self.end_rows()
            self.mark(self.length, title, level)
            self._append(title + BLANK_LINE)

    def mark(self, start: int, title: str, level: int) -> None:
        """Notes that a heading stands at character `start`, if there is room for one more."""
        if len(self._headings) < MOST_HEADINGS:
            self._headings.append(Heading(start, level, title[:LONGEST_HEADING]))

    def first_heading(self) -> str:
        """The title of the first heading so far, "" if there is none."""
        return self._headings[0].title if self._headings else ""

    def append(self, part: "Writer") -> None:
        """Adds the text and headings of another writer to the page that is open."""
        part.end_rows()
        for heading in part._headings:
            self.mark(self.length + heading.start, heading.title, heading.level)
        self._append("".join(part._parts))

    def longest_page(self) -> int:
        """The characters of the longest page so far."""
        starts = [start for start, *_ in self._starts] or [0]
        return max(end - start for start, end in zip(starts, [*starts[1:], self.length], strict=True))

    def forget_pages(self) -> None:
        """Makes all of the text one page."""
        self._starts.clear()

    def document(self, kind: str, unit: str, warnings: Iterable[str] = ()) -> Document:
        """The document; `Qwen2Error` when it holds no text."""
        text = "".join(self._parts)
        if not text.strip():
            raise Qwen2Error(f"{self._source.name} holds no text; there is nothing to ask about")
        starts = self._starts or [(0, 1, "")]
        ends = [start for start, *_ in starts[1:]] + [len(text)]
        return Document(
            name=self._source.name,
            sha256=self._source.sha256,
            kind=kind,
            unit=unit,
            text=text,
            pages=tuple(
                Page(number, start, end, label)
                for (start, number, label), end in zip(starts, ends, strict=True)
            ),
            headings=tuple(sorted(self._headings, key=lambda heading: heading.start)),
            warnings=tuple(warnings),
        )

    def _append(self, text: str) -> None:
        self.length += len(text)
        if self.length > MOST_CHARACTERS:
            raise Qwen2Error(
                f"{self._source.name} holds more than {MOST_CHARACTERS:,} characters; split it into parts"
            )
        self._parts.append(text)
