"""Reading a file that must be plain text: texts to measure with, as opposed to documents of any format."""

import sys
from pathlib import Path

from qwen2_mlx.errors import Qwen2Error

#: Longer texts than any measurement takes; a larger file is refused before it is read.
MOST_BYTES = 64 * 2**20


def read_text(name: str) -> str:
    """The text of the file `name`, or of stdin for "-".

    Raises `Qwen2Error` for what is not a readable, non-empty UTF-8 text.
    """
    data = sys.stdin.buffer.read(MOST_BYTES + 1) if name == "-" else _file_bytes(Path(name))
    label = "stdin" if name == "-" else name
    if len(data) > MOST_BYTES:
        raise Qwen2Error(f"{label} is larger than {MOST_BYTES // 2**20} MB; give a shorter text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Qwen2Error(
            f"{label} is no UTF-8 text (byte {error.start}); convert it to plain text first"
        ) from None
    if "\0" in text:
        raise Qwen2Error(f"{label} is a binary file; convert it to plain text first")
    if not text.strip():
        raise Qwen2Error(f"{label} is empty; there is nothing to read")
    return text.replace("\r\n", "\n")


def _file_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise Qwen2Error(f"{path} is a folder; give one text file")
    if path.exists() and not path.is_file():
        raise Qwen2Error(f"{path} is not a regular file; give one text file")
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Qwen2Error(f"there is no file {path}; check the name") from None
    except OSError as error:
        raise Qwen2Error(f"{path} cannot be read: {error.strerror}") from None
