"""Names for files that people save, and writing them without ever replacing one."""

import itertools
import os
import unicodedata
from pathlib import Path

from app.chat.screens.text import line
from qwen2_mlx.errors import Qwen2Error, first_line

#: Bytes of a suggested name without its ending; file systems take 255 in all.
LONGEST_NAME = 80


class SaveError(Qwen2Error):
    """A file that cannot be written where people wanted it."""


def file_name(title: str) -> str:
    """A name for a file from a title: letters, digits, "-", "_" and ".", never hidden, never empty."""
    kept = (sign if _is_safe(sign) else "-" for sign in unicodedata.normalize("NFC", line(title)))
    name = "-".join(part for part in "".join(kept).split("-") if part).strip(".-_")
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(".-_") or "chat"


def _is_safe(sign: str) -> bool:
    return sign.isalnum() or sign in "-_."


def free_path(path: Path) -> Path:
    """This path, or where it exists already the same name with a number."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))


def path_of(text: str) -> Path:
    """The path people typed, ~ and quotes of a dropped file included. Raises `SaveError`."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if not text:
        raise SaveError("the name is empty; type one")
    if "\0" in text:
        raise SaveError("the name holds a character that no file name can")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~name of a person who is not known here
        raise SaveError(f"{text}: {first_line(error)}; give the whole path") from None


def write_new(path: Path, text: str) -> None:
    """Writes a file that must not exist yet; it appears whole or not at all. Raises `SaveError`.

    The name is taken with an empty file first: that fails where there is one, also one that another
    program made in this moment, which a rename would replace.
    """
    partial = path.with_name(f".{path.name[:40]}.{os.getpid()}.partial")
    try:
        path.open("x").close()
    except FileExistsError:
        raise SaveError(f"{path.name} exists; choose another name") from None
    except FileNotFoundError:
        raise SaveError(f"there is no folder {path.parent}; make it first or choose another") from None
    except (OSError, ValueError) as error:
        raise SaveError(f"{path.name} cannot be written: {_reason(error)}") from None
    try:
        with partial.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        for leftover in (partial, path):
            leftover.unlink(missing_ok=True)
        raise SaveError(f"{path.name} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or first_line(error)
