"""From files to documents.

The libraries that read PDF, Word, PowerPoint and HTML are loaded when the first such file is read.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path, PurePath

from app.ask.documents.document import Document
from app.ask.documents.kinds import HEAD, kind_in_zip, kind_of
from app.ask.documents.limits import BLOCK, MOST_TEXT_BYTES, open_regular, read_bytes, read_limited, too_large
from app.ask.documents.source import Source

#: Grows whenever the same bytes give another text: what was stored of older ones is read again.
PARSER_VERSION = 1

#: Stands for stdin among paths. A file of this name is `Path("-").absolute()`.
STDIN = Path("-")

#: Called while a long file is read, with the number of pages read and of all pages.
Progress = Callable[[int, int], None]


def read_document(path: Path, progress: Progress | None = None) -> Document:
    """The document in the file `path`, or that on stdin for `STDIN`.

    `progress` is called for PDF files only; the other formats take seconds at most. Raises `Qwen2Error`
    for what is missing, empty, damaged, encrypted, too large or no document.
    """
    if path == STDIN:
        return read_stdin(progress)
    return _read(Source(display_name(path), read_bytes(path)), progress)


def read_stdin(progress: Progress | None = None) -> Document:
    """The document on stdin: text, or a file of any kind that shows its kind by itself."""
    return _read(Source("stdin", read_limited(sys.stdin.buffer, "stdin", MOST_TEXT_BYTES)), progress)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes in hex, which is `Document.sha256` of what would be read from it."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def display_name(path: PurePath) -> str:
    """The path as text, with "\N{REPLACEMENT CHARACTER}" for bytes that are none."""
    return os.fsencode(path).decode("utf-8", "replace")


def _read(source: Source, progress: Progress | None) -> Document:
    kind = kind_of(source.name, source.data[:HEAD])
    if kind == "pdf":
        from app.ask.documents.pdf import read_pdf

        return read_pdf(source, progress)
    if kind == "zip":
        kind = kind_in_zip(source)
    elif len(source.data) > MOST_TEXT_BYTES:
        raise too_large(source.name, MOST_TEXT_BYTES)
    return _reader(kind)(source)


def _reader(kind: str) -> Callable[[Source], Document]:
    if kind == "docx":
        from app.ask.documents.word import read_word as read
    elif kind == "pptx":
        from app.ask.documents.slides import read_slides as read
    elif kind == "epub":
        from app.ask.documents.epub import read_epub as read
    elif kind == "html":
        from app.ask.documents.html import read_html as read
    elif kind == "markdown":
        from app.ask.documents.markdown import read_markdown as read
    elif kind == "csv":
        from app.ask.documents.table import read_table as read
    else:
        from app.ask.documents.text import read_text as read
    return read
