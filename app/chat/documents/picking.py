"""Files to attach, found by a few letters of their names.

Folders are walked breadth first and a little at a time, so that what is near is there at once and a huge
tree holds nothing up.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from heapq import nsmallest
from pathlib import Path

from app.ask.documents.kinds import SUFFIXES

#: Entries of a tree that are looked at, and folders within folders.
MOST_ENTRIES, DEEPEST = 20_000, 8

#: Folders that hold no documents of people.
SKIPPED = frozenset(("node_modules", "__pycache__", "site-packages", "venv"))

#: Seconds that one call of `matches` may walk, and for which it keeps what it has found.
_WALK, _KEPT = 0.02, 10.0

#: How well a name fits, the best first, by its case-folded name and path.
_Rank = tuple[int, bool, int, str]


class Walk:
    """The files and folders below a folder, as paths relative to it, found as far as `more` went."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.begun = folder, time.monotonic()
        self.found: list[Path] = []
        self.done = False
        self._entries = _walked(folder)

    def more(self, seconds: float) -> bool:
        """Goes on for a while; False when there is nothing more to find."""
        until = time.monotonic() + seconds
        while not self.done and time.monotonic() < until:
            path = next(self._entries, None)
            if path is None or len(self.found) == MOST_ENTRIES:
                self.done = True
            else:
                self.found.append(path)
        return not self.done


def matches(folder: Path, typed: str, limit: int) -> list[Path]:
    """Files and folders for what was typed, the best first: below `folder`, or where a typed path leads.

    The letters that were typed must stand in the path in their order. A path that begins with /, ~ or
    .. is followed instead, and its last part completed. A large tree is walked further by each call.
    """
    if is_path(typed):
        return _beside(folder, typed, limit)
    walk = _kept(folder)
    walk.more(_WALK)
    return best(walk.found, typed, limit)


def best(paths: list[Path], typed: str, limit: int) -> list[Path]:
    """Those of the paths that fit what was typed, the best first."""
    letters = typed.casefold()
    ranked = ((rank, path) for path in paths if (rank := _rank(path, letters)) is not None)
    return [path for _, path in nsmallest(limit, ranked)]


def is_path(typed: str) -> bool:
    """Whether what was typed leads somewhere, rather than naming something."""
    return typed.startswith(("/", "~", "../", "./"))


_latest: Walk | None = None


def _kept(folder: Path) -> Walk:
    """The walk of the call before, if it is fresh enough."""
    global _latest
    if _latest is None or _latest.folder != folder or time.monotonic() - _latest.begun > _KEPT:
        _latest = Walk(folder)
    return _latest


def _walked(folder: Path) -> Iterator[Path]:
    waiting: deque[tuple[Path, int]] = deque([(Path(), 0)])
    while waiting:
        below, depth = waiting.popleft()
        for entry in _entries(folder / below):
            if entry.name.startswith(".") or entry.name in SKIPPED:
                continue
            path = below / entry.name
            yield path
            if depth < DEEPEST and _is_folder(entry):
                waiting.append((path, depth + 1))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name; nothing of one that cannot be read."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry)
                if len(found) == MOST_ENTRIES:
                    break
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether to go into it: not by a link, which may lead round in a circle."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _beside(folder: Path, typed: str, limit: int) -> list[Path]:
    """What fits the last part of a typed path in the folder before it; what is hidden if a dot begins it."""
    before, _, last = typed.rpartition("/") if typed != "~" else ("~", "", "")
    try:
        inside = Path(f"{before}/").expanduser()
    except RuntimeError:  # ~name of a person who is not known here
        return []
    names = [Path(entry.name) for entry in _entries(folder / inside)]
    shown = [name for name in names if last.startswith(".") or not name.name.startswith(".")]
    return [inside / name for name in best(shown, last, limit)]


def _rank(path: Path, letters: str) -> _Rank | None:
    """None where the letters do not stand in the path in their order."""
    whole, name = str(path).casefold(), path.name.casefold()
    no_document = path.suffix.lower() not in SUFFIXES
    if not letters:
        return len(path.parts), no_document, 0, whole
    if letters in name:
        fit = 0 if name == letters else 1 if name.startswith(letters) else 2
    elif letters in whole:
        fit = 3
    elif _holds(name, letters):
        fit = 4
    elif _holds(whole, letters):
        fit = 5
    else:
        return None
    return fit, no_document, len(whole), whole


def _holds(text: str, letters: str) -> bool:
    """Whether letters stand in a text in their order, spaces aside."""
    rest = iter(text)
    return all(letter in rest for letter in letters if not letter.isspace())
