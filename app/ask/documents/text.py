"""Plain text: encodings, and form feeds as page breaks."""

import codecs

from app.ask.documents.document import Document
from app.ask.documents.limits import MOST_PAGES
from app.ask.documents.source import Source
from app.ask.documents.writer import Writer, clean
from qwen2_mlx.errors import Qwen2Error

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def marked_encoding(data: bytes) -> str | None:
    """The encoding that the byte order mark at the start of `data` names, if there is one."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def decode(source: Source, encoding: str | None = None) -> str:
    """The clean text of `source`, in `encoding` or that of its byte order mark, else UTF-8.

    No other encoding is guessed: a wrong guess gives wrong names and no error.
    """
    encoding = marked_encoding(source.data) or encoding or "utf-8"
    try:
        text = source.data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Qwen2Error(
            f"{source.name} is no {encoding.upper().removesuffix('-SIG')} text (byte {error.start});"
            " save it as UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8"
        ) from None
    if "\0" in text:
        raise Qwen2Error(f"{source.name} is a binary file; convert it to plain text first")
    return clean(text)


def read_text(source: Source) -> Document:
    """Plain text: unit "page" when form feeds separate pages, else "line"."""
    text = decode(source)
    writer = Writer(source)
    pages = text.removesuffix("\f").split("\f", MOST_PAGES)  # of more, `Writer` complains
    if len(pages) == 1:
        writer.add_exactly(pages[0])
        return writer.document("text", "line")
    for number, page in enumerate(pages, 1):
        writer.page(number)
        writer.add_exactly(page if page.endswith("\n") or not page else page + "\n")
    return writer.document("text", "page")
