"""A document as text, every character of which knows its page."""

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

#: What the pages of a document are called, by what they are.
UNITS = ("page", "slide", "chapter", "sheet", "line")


@dataclass(frozen=True)
class Page:
    """Characters `start` to `end` of a document's text: a page, slide, chapter or sheet.

    `number` counts from 1 in the file. `label` is what is printed on the page ("xii") or the title
    of the slide, chapter or sheet, where it says more than the number; else "".
    """

    number: int
    start: int
    end: int
    label: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading at character `start`; `level` counts from 1, the highest."""

    start: int
    level: int
    title: str


@dataclass(frozen=True)
class Place:
    """Where a character of a document stands; `line` counts from 1, from the start of the document."""

    unit: str
    number: int
    label: str
    line: int

    def __str__(self) -> str:
        """As people read it: "page 318 (xii)", "slide 4 (Costs)", "line 12"."""
        if self.unit == "line":
            return f"line {self.line}"
        return f"{self.unit} {self.number}" + (f" ({self.label})" if self.label else "")


@dataclass(frozen=True)
class Document:
    """The text of one file.

    `name` is how answers call it, `sha256` that of the file's bytes (hex), `kind` its format ("pdf",
    "text", ...). `unit` is one of `UNITS`: "line" where the text has no pages, then `pages` has one
    entry. Pages follow each other without gap or overlap from 0 to `len(text)`. `warnings` are one-line
    messages for people ("12 pages have no text layer (scans?): 40-51").
    """

    name: str
    sha256: str
    kind: str
    unit: str
    text: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def _starts(self) -> list[int]:
        return [page.start for page in self.pages]

    def page_at(self, position: int) -> Page:
        """The page that holds the character at `position`."""
        return self.pages[max(0, bisect_right(self._starts, position) - 1)]

    def place(self, position: int) -> Place:
        """Where the character at `position` stands."""
        page = self.page_at(position)
        return Place(self.unit, page.number, page.label, self.text.count("\n", 0, position) + 1)
