"""How much of a file is read at most, and opening files that may be anything.

The limits are far above real documents (a million tokens are some 4 MB of text) and far below what
hurts a laptop. They are checked before memory is spent.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from qwen2_mlx.errors import Qwen2Error

MEGABYTE = 2**20

#: Bytes of a file that is text itself (text, Markdown, HTML, CSV) and of stdin.
MOST_TEXT_BYTES = 64 * MEGABYTE
#: Bytes of a file that holds pictures besides its text (PDF, Word, PowerPoint, EPUB).
MOST_FILE_BYTES = 512 * MEGABYTE
#: Characters of the text of one document, whatever its format.
MOST_CHARACTERS = 64 * MEGABYTE
MOST_PAGES = 50_000
#: Characters of one page of a PDF; the densest real page has some 20,000.
MOST_PAGE_CHARACTERS = MEGABYTE
#: Headings of a document, of which more are text, and characters of one that name what is below it.
MOST_HEADINGS = 100_000
LONGEST_HEADING = 300
#: Tables within tables, groups within groups: deeper ones are left out.
MOST_NESTING = 32
#: Entries of a zip archive, bytes of all of them unpacked, and of one that is parsed.
MOST_ENTRIES = 50_000
MOST_UNPACKED_BYTES = 1024 * MEGABYTE
MOST_PART_BYTES = 64 * MEGABYTE
#: Files found in all named folders together, and folders within folders.
MOST_FILES = 100_000
MOST_FOLDER_DEPTH = 64

BLOCK = 1 << 20


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """`path` opened for reading, if it is a regular file of at most `MOST_FILE_BYTES`.

    Devices, pipes and sockets are refused before they are opened for good: reading one may never end.
    """
    try:
        # O_NONBLOCK: opening a named pipe would else wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise Qwen2Error(f"there is no file {path}; check the name") from None
    except (OSError, ValueError) as error:
        raise Qwen2Error(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        _check_regular(path, os.fstat(descriptor))
    except Qwen2Error:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Qwen2Error(f"{path} is a folder where a file is needed; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise Qwen2Error(f"{path} is not a regular file; copy what it holds to a file first")
    if status.st_size > MOST_FILE_BYTES:
        raise too_large(str(path), MOST_FILE_BYTES)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of at most `MOST_FILE_BYTES`."""
    with open_regular(path) as file:
        return read_limited(file, str(path), MOST_FILE_BYTES)


def read_limited(file: BinaryIO, name: str, most: int) -> bytes:
    """All that `file` holds; `Qwen2Error` when that is more than `most` bytes, however large."""
    blocks: list[bytes] = []
    left = most
    try:
        # Block by block: asked for as much as is allowed, Python makes room for all of it at once.
        while block := file.read(BLOCK):
            blocks.append(block)
            left -= len(block)
            if left < 0:
                raise too_large(name, most)
    except OSError as error:
        raise Qwen2Error(f"{name} cannot be read: {error.strerror}") from None
    return b"".join(blocks)


def too_large(name: str, most: int) -> Qwen2Error:
    return Qwen2Error(f"{name} is larger than {most // MEGABYTE} MB; split it into parts")
