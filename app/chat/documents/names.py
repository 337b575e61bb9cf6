"""From what people type, paste or drop to the files they mean."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qwen2_mlx.errors import Qwen2Error

_MAGIC = "*?["


def path_of(name: str) -> Path:
    """The path that `name` means: `~` is the home folder, a file:// address its file.

    Terminals paste the path of a dropped file in quotes or with backslashes before its spaces; both
    are undone where there is no file of the name as it stands. Raises `Qwen2Error`.
    """
    name = name.strip()
    if not name or "\0" in name:
        raise Qwen2Error("give the name of a file or folder")
    for candidate in _readings(name):
        path = _expanded(candidate)
        if os.path.lexists(path):
            return path
    return _expanded(name)


def split_pattern(name: str) -> tuple[Path, str | None]:
    """The path of `name` and None; for a pattern such as docs/*.pdf the folder and what to match below."""
    path = path_of(name)
    if not any(sign in name for sign in _MAGIC) or os.path.lexists(path):
        return path, None
    parts = path.parts
    at = next(at for at, part in enumerate(parts) if any(sign in part for sign in _MAGIC))
    return Path(*parts[:at]), str(Path(*parts[at:]))


def _readings(name: str) -> Iterator[str]:
    """What a name may stand for, the likeliest first."""
    yield name
    if name.startswith("file://"):
        yield unquote(urlsplit(name).path)
    try:
        words = shlex.split(name)
    except ValueError:  # a quote without its other half
        return
    if len(words) == 1:
        yield words[0]


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # ~name of a person who is not known here
        raise Qwen2Error(f"{name}: {error}; give the whole path") from None
