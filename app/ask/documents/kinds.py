"""What kind of document a file is, by what it holds and then by its name."""

import io
import re
from pathlib import PurePath
from zipfile import ZipFile

from app.ask.documents.source import Source
from app.ask.documents.text import marked_encoding
from qwen2_mlx.errors import Qwen2Error

#: Bytes at the start of a file that `kind_of` wants to see.
HEAD = 8192

_BY_SUFFIX = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".txt", ".text", ".rst", ".org", ".adoc", ".tex", ".log"), "text"),
    ".pdf": "pdf",
    ".docx": "zip",
    ".pptx": "zip",
    ".epub": "zip",
}
#: Endings by which files in a folder are taken for documents.
SUFFIXES = frozenset(_BY_SUFFIX)

_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_RTF = b"{\\rtf"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_IN_ZIP = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "META-INF/container.xml": "epub",
}


def kind_of(name: str, head: bytes) -> str:
    """ "pdf", "zip", "html", "markdown", "csv" or "text" for a file that begins with `head`.

    Raises `Qwen2Error` for what is none of these.
    """
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(_OLD_OFFICE):
        raise Qwen2Error(f"{name} is an old or protected Office file; save it as .docx or .pptx, no password")
    if head.startswith(_RTF):
        raise Qwen2Error(f"{name} is a rich text file; save it as .docx or plain text")
    if head.startswith(_PICTURES):
        raise Qwen2Error(f"{name} is a picture; run text recognition on it first")
    if marked_encoding(head) is None and b"\0" in head:
        raise Qwen2Error(f"{name} is a binary file; convert it to plain text first")
    kind = _BY_SUFFIX.get(PurePath(name).suffix.lower(), "text") if head else "text"
    if kind in ("pdf", "zip"):
        raise Qwen2Error(f"{name} is not what its name says; give it the ending of what it is")
    return "html" if kind == "text" and _HTML.match(head) else kind


def kind_in_zip(source: Source) -> str:
    """ "docx", "pptx" or "epub", by the names in the archive; nothing is unpacked."""
    with source.parsed_as("zip archive"), ZipFile(io.BytesIO(source.data)) as archive:
        return _kind_of_archive(source, archive)


def _kind_of_archive(source: Source, archive: ZipFile) -> str:
    names = archive.NameToInfo
    kind = next((kind for entry, kind in _IN_ZIP.items() if entry in names), None)
    if kind is not None:
        return kind
    if "xl/workbook.xml" in names:
        raise Qwen2Error(f"{source.name} is a spreadsheet; export its sheets as .csv")
    if "content.xml" in names:
        raise Qwen2Error(f"{source.name} is an OpenDocument file; save it as .docx or .pptx, or export a PDF")
    raise Qwen2Error(f"{source.name} is a zip archive and no document; unpack it and name the folder")
