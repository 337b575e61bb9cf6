"""Markdown: the text as it stands, and where its headings are."""

import io
import re
from collections.abc import Iterator

from app.ask.documents.document import Document
from app.ask.documents.source import Source
from app.ask.documents.text import decode
from app.ask.documents.writer import Writer

_FENCE = re.compile(r" {0,3}(```|~~~)")
_MARKED = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_PARAGRAPH = ("#", ">", "- ", "* ", "+ ", "|", "    ", "\t", "---", "===")


def read_markdown(source: Source) -> Document:
    """Markdown, unit "line": citations name the lines of the file, so nothing is taken out."""
    text = decode(source).replace("\f", "\n")
    writer = Writer(source)
    writer.add_exactly(text)
    for start, title, level in _headings(text):
        writer.mark(start, title, level)
    return writer.document("markdown", "line")


def _headings(text: str) -> Iterator[tuple[int, str, int]]:
    """Start, title and level of the headings of both styles, outside code blocks."""
    fence = ""
    start, previous, previous_start = 0, "", 0
    for line in io.StringIO(text, newline="\n"):
        line = line.removesuffix("\n")
        if match := _FENCE.match(line):
            fence = match[1] if not fence else "" if match[1] == fence else fence
        elif not fence and (match := _MARKED.match(line)):
            if title := match[2].rstrip("# \t") or match[2].strip():
                yield start, title, len(match[1])
        elif not fence and (match := _UNDERLINE.match(line)) and _is_paragraph(previous):
            yield previous_start, previous.strip(), 1 if match[1][0] == "=" else 2
        previous, previous_start = ("" if fence else line), start
        start += len(line) + 1


def _is_paragraph(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_NO_PARAGRAPH)
