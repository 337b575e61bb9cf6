"""Web pages saved to a file."""

import codecs
import re

from app.ask.documents.document import Document
from app.ask.documents.markup import as_html, write_markup
from app.ask.documents.source import Source
from app.ask.documents.text import decode
from app.ask.documents.writer import Writer
from qwen2_mlx.errors import Qwen2Error

_DECLARED = re.compile(rb"""<(?:meta|\?xml)\b[^<>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I)
_LOOKED_AT = 8192  # bytes at the start in which browsers, too, look for the encoding

#: Encodings that the names of others mean on the web (whatwg.org, Encoding Standard).
_WEB_NAMES = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "gb2312": "gbk"}
#: Codecs of Python that are no encodings of pages; some take forever on a long text.
_NO_CHARSETS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")


def read_html(source: Source) -> Document:
    """A web page, unit "line": headings, lists, tables and text, without scripts and navigation."""
    markup = decode_markup(source)
    writer = Writer(source)
    write_markup(source, as_html(markup) if is_xhtml(markup) else markup, writer, with_title=True)
    return writer.document("html", "line")


def decode_markup(source: Source) -> str:
    """The markup in the encoding that it declares, else UTF-8."""
    match = _DECLARED.search(source.data[:_LOOKED_AT])
    return decode(source, _codec(source, match[1].decode("ascii")) if match else None)


def is_xhtml(markup: str) -> bool:
    return markup.lstrip().startswith("<?xml")


def _codec(source: Source, name: str) -> str:
    name = _WEB_NAMES.get(name.lower(), name.lower())
    if name.startswith(("utf-16", "utf-32")):
        return "utf-8"  # the declaration itself was read as ASCII, so it cannot be true
    try:
        info = codecs.lookup(name)
        if info.name in _NO_CHARSETS:
            raise LookupError
        b"a".decode(name)  # some codecs turn text into text, not bytes
    except (LookupError, ValueError):
        raise Qwen2Error(f"{source.name} is in an unknown encoding ({name}); save it as UTF-8") from None
    return info.name
