"""Zip archives from strangers: Word, PowerPoint and EPUB files.

An archive says how large its entries are unpacked, and may lie. What it says is checked first, then
that no more comes out, block by block, before a library that reads entries whole gets to see it.
Nothing is ever unpacked to disk, and names are only looked up in the archive itself.
"""

import io
import posixpath
import re
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.ask.documents.limits import (
    BLOCK,
    MEGABYTE,
    MOST_ENTRIES,
    MOST_PART_BYTES,
    MOST_UNPACKED_BYTES,
)
from app.ask.documents.source import Source
from qwen2_mlx.errors import Qwen2Error

_ENCRYPTED = 0x1  # flag bit of an entry
#: All that the formats allow. Of the other methods zipfile cannot unpack a block at a time.
_METHODS = (ZIP_STORED, ZIP_DEFLATED)
#: How XML begins, in any encoding: it is parsed under every name that a relationship gives it.
_MARKUP = re.compile(rb"[\s\0\xef\xbb\xbf\xfe\xff]*<")
_PARSED = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")


def open_checked(source: Source) -> ZipFile:
    """The archive in `source`, every entry of which unpacks to what it declares, within the limits."""
    with source.parsed_as("zip archive"):
        archive = ZipFile(io.BytesIO(source.data))
        entries = archive.infolist()
        _check_declared(source, entries)
        for entry in entries:
            _check_real(source, archive, entry)
    return archive


def _check_declared(source: Source, entries: list[ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise Qwen2Error(f"{source.name} holds {len(entries):,} entries; this is no document")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise Qwen2Error(f"{source.name} is encrypted; save it without a password first")
    if any(entry.compress_type not in _METHODS for entry in entries):
        raise Qwen2Error(f"{source.name} is packed in a way that documents are not; save it again")
    total = sum(entry.file_size for entry in entries)
    if total > MOST_UNPACKED_BYTES:
        raise _bomb(source, total)
    largest = max((e.file_size for e in entries if e.filename.lower().endswith(_PARSED)), default=0)
    if largest > MOST_PART_BYTES:
        raise _bomb(source, largest)


def _check_real(source: Source, archive: ZipFile, entry: ZipInfo) -> None:
    """Unpacks an entry block by block: zipfile stops at the declared size and compares the checksum."""
    with archive.open(entry) as file:
        block = file.read(BLOCK)
        if entry.file_size > MOST_PART_BYTES and _MARKUP.match(block):
            raise _bomb(source, entry.file_size)
        while block:
            block = file.read(BLOCK)


def read_part(source: Source, archive: ZipFile, name: str) -> bytes:
    """An entry that is about to be parsed, whatever its name says that it is."""
    if (size := archive.getinfo(name).file_size) > MOST_PART_BYTES:
        raise _bomb(source, size)
    return archive.read(name)


def _bomb(source: Source, size: int) -> Qwen2Error:
    return Qwen2Error(
        f"{source.name} unpacks to {size // MEGABYTE:,} MB or more, too much for a document; if it is one,"
        " split it or take its pictures out"
    )


def inside(base: str, reference: str) -> str | None:
    """The entry that `reference` in the entry `base` names; None where it leads out of the archive."""
    if "://" in reference or reference.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), reference))
    return None if path.startswith("../") or path in ("..", ".") else path
