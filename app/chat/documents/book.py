"""A document of the library as it is leafed through: only what is near is read.

A leaf is what is shown at once: a page, or a stretch of a page that is long, as the one page of a plain
text is. Leaves follow each other without gap or overlap.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.documents.document import Heading, Page
    from app.ask.library import File
    from app.ask.library.database import Database
    from app.ask.library.texts import StoredText

#: Characters of a leaf at most, and how far before its end a line's end is looked for.
LEAF, REACH = 6000, 600

#: Characters that are searched at once, and how long a find may be.
_SEARCHED, _LONGEST_FIND = 1 << 16, 1000


@dataclass(frozen=True)
class Leaf:
    """Characters `start` to `end` of the text, on the page `page`; `whole` where that is all of it."""

    start: int
    end: int
    page: "Page"
    whole: bool


class Book:
    """One document, open for reading; belongs to the thread that opened it."""

    def __init__(self, database: "Database", file: "File", text: "StoredText") -> None:
        from app.ask.library.texts import read_headings, read_pages

        self.file = file
        self._database, self._text = database, text
        self._pages = read_pages(database, file.id)
        self._starts = [page.start for page in self._pages]
        self._headings = read_headings(database, file.id)
        self._heading_starts = [heading.start for heading in self._headings]

    @classmethod
    def open(cls, library: Path | None, file: int) -> "Book":
        """File `file` of the library at `library`, None for the user's own. Raises `Qwen2Error`."""
        from app.ask.library.database import Database
        from app.ask.library.files import get_file
        from app.ask.library.place import default_path
        from app.ask.library.texts import StoredText

        path = default_path() if library is None else library
        if not path.exists():
            raise Qwen2Error(f"there is no document library at {path}; attach the document again")
        database = Database(path, False, lambda message: None)
        try:
            stored = get_file(database, file)
            return cls(database, stored, StoredText(database, file, stored.characters))
        except KeyError:
            database.close()
            raise Qwen2Error(
                "this document is no longer in the library, or has changed since; attach it again"
            ) from None
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        self._database.close()

    @property
    def characters(self) -> int:
        return len(self._text)

    def text(self, start: int, end: int) -> str:
        """Characters `start` to `end`, clipped to the text."""
        return self._text[max(0, start) : max(0, end)]

    def leaf_at(self, position: int) -> Leaf:
        """What is shown of the text around a character."""
        page = self._page_at(position)
        position = min(max(position, page.start), max(page.start, page.end - 1))
        number = (position - page.start) // LEAF
        start = self._border(page, number)
        end = self._border(page, number + 1)
        if position >= end:
            start, end = end, self._border(page, number + 2)
        return Leaf(start, end, page, whole=(start, end) == (page.start, page.end))

    def after(self, leaf: Leaf) -> Leaf | None:
        """The next leaf; None after the last."""
        return self.leaf_at(leaf.end) if leaf.end < self.characters else None

    def before(self, leaf: Leaf) -> Leaf | None:
        """The leaf before; None before the first."""
        return self.leaf_at(leaf.start - 1) if leaf.start > 0 else None

    def place(self, leaf: Leaf) -> str:
        """ "page 212 (xii) of 1,840", "lines 300 to 420 of 41,200", "slide 4 (Costs) of 12, a part"."""
        from app.ask.library.texts import place_of

        unit = self.file.unit
        if unit == "line":
            first, last, all_ = (
                place_of(self._database, self.file.id, unit, position).line
                for position in (leaf.start, max(leaf.start, leaf.end - 1), self.characters)
            )
            return f"lines {first:,} to {last:,} of {all_:,}"
        label = f" ({leaf.page.label})" if leaf.page.label else ""
        part = "" if leaf.whole else ", a part"
        return f"{unit} {leaf.page.number:,}{label} of {self._pages[-1].number:,}{part}"

    def headings_above(self, position: int) -> tuple[str, ...]:
        """The titles of the headings that a character stands under, the highest first."""
        path: list[Heading] = []
        for heading in self._headings[: bisect_right(self._heading_starts, position)][-200:]:
            while path and path[-1].level >= heading.level:
                path.pop()
            path.append(heading)
        return tuple(heading.title for heading in path)

    def headings_in(self, start: int, end: int) -> list["Heading"]:
        """The headings that begin between two characters."""
        first = bisect_right(self._heading_starts, start - 1)
        return list(self._headings[first : bisect_right(self._heading_starts, end - 1)])

    def go(self, words: str) -> int | None:
        """Where the page of this number or printed label begins, or the line; None where there is none."""
        words = words.strip()
        if self.file.unit == "line":
            return self._line(int(words)) if words.isdecimal() and len(words) < 12 else None
        by_label = (page.start for page in self._pages if page.label and page.label == words)
        if words.isdecimal():
            by_number = (page.start for page in self._pages if str(page.number) == words.lstrip("0"))
            return next(by_number, next(by_label, None))
        return next(by_label, None)

    def find(self, words: str, start: int) -> Iterator[tuple[int, int] | None]:
        """Where words stand next from `start` on, going on at the beginning after the end.

        Any case, any white space between them. Yields None after each stretch that was searched in
        vain, so that it can be spread over time; the last one yielded is the place (start, end), or
        None where they are nowhere.
        """
        pattern = pattern_of(words)
        for first, last in ((start, self.characters), (0, min(self.characters, start + _LONGEST_FIND))):
            for at in range(first, last, _SEARCHED):
                text = self.text(at, min(last, at + _SEARCHED) + _LONGEST_FIND)
                if pattern is not None and (found := pattern.search(text)):
                    yield at + found.start(), at + found.end()
                    return
                yield None

    def _page_at(self, position: int) -> "Page":
        return self._pages[max(0, bisect_right(self._starts, position) - 1)]

    def _border(self, page: "Page", number: int) -> int:
        """Where leaf `number` of a page begins: after the last end of a line, or of a word, near there."""
        at = page.start + number * LEAF
        if number == 0 or at >= page.end:
            return min(at, page.end)
        near = self.text(at - REACH, at)
        for sign in ("\n", " "):
            if (end := near.rfind(sign)) >= 0:
                return at - len(near) + end + 1
        return at

    def _line(self, number: int) -> int | None:
        """Where a line begins, found by halving: only a piece of the text is read each time."""
        from app.ask.library.texts import place_of

        def line(position: int) -> int:
            return place_of(self._database, self.file.id, "line", position).line

        if not 1 <= number <= line(self.characters):
            return None
        low, high = 0, self.characters
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if line(middle) >= number else (middle + 1, high)
        return low


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Finds words in any case, with any white space between them; None where there are none."""
    parts = words.split()
    if not parts or len(words) > _LONGEST_FIND:
        return None
    return re.compile(r"\s{1,100}".join(re.escape(part) for part in parts), re.IGNORECASE)
