"""From HTML tags to blocks of text, for web pages and the chapters of e-books.

The parser calls one method per tag and keeps no tree: a hundred thousand nested tags cost no stack and
no memory. Nothing is fetched, and entities that a document defines itself are not expanded.
"""

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from app.ask.documents.source import Source
from app.ask.documents.writer import Writer, clean

# What no reader sees, or what belongs to the site and not to the text.
_DROPPED = frozenset(
    "script style nav noscript template svg annotation annotation-xml iframe object embed canvas audio video"
    " select button".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body caption center details dialog dd div dl dt fieldset"
    " figcaption figure footer form header hgroup hr li main ol p pre section summary table tbody tfoot thead"
    " tr ul".split()
)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_CELLS = frozenset(("td", "th"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_LINE_ENDS = re.compile("[\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_SELF_CLOSED = re.compile(r"<([A-Za-z][A-Za-z0-9]*)\b([^<>]*)/>")

_LONGEST_TITLE = 300
#: A table cell longer than this is no datum: the table lays out a page.
_LONGEST_CELL = 500


def write_markup(source: Source, markup: str, writer: Writer, *, with_title: bool) -> str:
    """Adds the text of an HTML document to `writer`; returns its title, "" if it has none.

    `with_title` makes the title the first heading, unless the first heading says the same.
    """
    target = _Target(writer, with_title)
    events: Any = target  # the stubs of lxml want one method for both str and bytes
    parser = etree.HTMLParser(target=events, encoding="utf-8", no_network=True, remove_pis=True)
    with source.parsed_as("web page"):
        parser.feed(markup.encode("utf-8", "replace"))
        parser.close()
    return target.title


def as_html(xhtml: str) -> str:
    """XHTML for an HTML parser, to which `<script/>` or `<title/>` would open an element."""

    def opened(match: re.Match[str]) -> str:
        tag, rest = match.groups()
        return match[0] if tag.lower() in _VOID else f"<{tag}{rest}></{tag}>"

    return _SELF_CLOSED.sub(opened, xhtml)


class _Target:
    """Receives the events of the parser: keeps what is open, writes what is complete."""

    def __init__(self, writer: Writer, with_title: bool) -> None:
        self.title = ""
        self._writer = writer
        self._with_title = with_title
        self._pieces: list[str] = []  # text of the block that is open
        self._dropping = 0  # depth below an element whose text is left out
        self._in_title = False
        self._title_pieces: list[str] = []
        self._preformatted = 0
        self._lists: list[int | None] = []  # number of the last item; None in an unordered list
        self._mark = ""  # "- " or "3. " before the text of a list item
        self._row: list[str] | None = None  # finished cells of the open table row
        self._in_cell = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        tag = _local(tag)
        if self._dropping or (tag not in _VOID and _is_left_out(tag, attributes)):
            self._dropping += tag not in _VOID
            return
        if tag == "title":
            self._in_title = True
        elif tag == "br":
            self._pieces.append("\n" if not self._in_cell else " ")
        elif tag in _HEADINGS:
            self._break()
        elif tag in _CELLS:
            self._start_cell()
        elif tag in _BLOCKS:
            self._start_block(tag)

    def end(self, tag: str) -> None:
        tag = _local(tag)
        if self._dropping:
            self._dropping -= tag not in _VOID
            return
        if tag == "title":
            self._end_title()
        elif tag in _HEADINGS:
            self._end_heading(_HEADINGS[tag])
        elif tag in _CELLS:
            self._end_cell()
        elif tag in _BLOCKS:
            self._end_block(tag)

    def data(self, data: str) -> None:
        if self._dropping:
            return
        if self._in_title:
            self._title_pieces.append(data)
        else:
            self._pieces.append(data if self._preformatted else _LINE_ENDS.sub(" ", data))

    def comment(self, text: str) -> None:
        """Comments are no text."""

    def close(self) -> None:
        self._end_row()
        self._break()

    def _start_block(self, tag: str) -> None:
        if tag == "table":
            self._end_row()  # a table in a cell: the outer one lays out the page
        self._break()
        if tag == "pre":
            self._preformatted += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._mark = self._next_mark()
        elif tag == "tr":
            self._end_row()
            self._row = []

    def _end_block(self, tag: str) -> None:
        if tag == "tr":
            self._end_row()
            return
        self._break()
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            if not self._lists:
                self._writer.end_rows()
        elif tag == "li":
            self._mark = ""
        elif tag == "table":
            self._writer.end_rows()

    def _next_mark(self) -> str:
        if not self._lists:
            return "- "
        last = self._lists[-1]
        if last is None:
            return "- "
        self._lists[-1] = last + 1
        return f"{last + 1}. "

    def _start_cell(self) -> None:
        if self._in_cell:
            self._end_cell()
        self._break()
        self._row = [] if self._row is None else self._row
        self._in_cell = True

    def _end_cell(self) -> None:
        if self._in_cell and self._row is not None:
            self._row.append(" ".join(self._text().split()))
        self._in_cell = False

    def _end_row(self) -> None:
        """Writes the row that is open, if one is, as "cell | cell"."""
        self._end_cell()
        if self._row and any(self._row):
            self._writer.add_row(" | ".join(self._row))
        self._row = None

    def _end_title(self) -> None:
        self._in_title = False
        self.title = self.title or " ".join(clean("".join(self._title_pieces)).split())[:_LONGEST_TITLE]
        self._title_pieces.clear()
        if self._with_title and self.title and not self._writer.length:
            self._writer.heading(self.title, 1)

    def _end_heading(self, level: int) -> None:
        if self._in_cell or self._lists:
            self._break()  # "cell | cell" and list items stay whole
            return
        text = " ".join(self._text().split())
        if self._with_title and text and text in self.title:
            self._with_title = False  # stands there already, as the title
        else:
            self._writer.heading(text, level)

    def _break(self) -> None:
        """Ends the block that is open. Within a table cell a break is a space."""
        if self._in_cell and sum(map(len, self._pieces)) <= _LONGEST_CELL:
            self._pieces.append(" ")
            return
        text = self._text()
        if not text.strip():
            return
        if self._mark:
            self._writer.add_row(self._mark + text)
            self._mark = ""
        else:
            self._writer.add(text)

    def _text(self) -> str:
        """The text of the open block, white space as a browser shows it; empties the block."""
        text = clean("".join(self._pieces)).replace("\f", "\n")
        self._pieces.clear()
        if self._preformatted:
            return text.strip("\n")
        return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


def _is_left_out(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether no reader sees the text of the element: it could say what the page does not."""
    return (
        tag in _DROPPED
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or bool(_HIDDEN_STYLE.search(attributes.get("style", "")))
    )


def _local(tag: str) -> str:
    return tag.rpartition(":")[2].lower()
