"""The files that the names on a command line mean."""

import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from app.ask.documents.kinds import HEAD, SUFFIXES, kind_of
from app.ask.documents.limits import MOST_FILES, MOST_FOLDER_DEPTH, open_regular
from app.ask.documents.read import STDIN, display_name
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Found:
    """Files in the order of the names and, within folders, of the alphabet; each file once.

    `STDIN` stands where the name "-" did. `warnings` are one-line messages for people.
    """

    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def find_files(names: Sequence[str], only: str | None = None) -> Found:
    """What `names` mean: files, folders with all below them, "-" for stdin.

    `only` is a glob that files in folders must match, by name or by path below the folder. Without it
    the files in folders are those with the ending of a document. Hidden ones are left out, links are
    followed but no folder is entered twice. Raises `Qwen2Error` when a name means nothing that can be
    read, or when nothing is found at all.
    """
    search = _Search(only)
    for name in names:
        search.add(name)
    if not search.files:
        what = f"file that matches {only}" if only else "document"
        raise Qwen2Error(f"there is no {what} in {', '.join(names)}; name the file itself")
    return Found(tuple(search.files), search.warnings())


class _Search:
    """Collects files, and counts what it passes over."""

    def __init__(self, only: str | None) -> None:
        self._only = only
        self._known: set[Path] = set()
        self._skipped: Counter[str] = Counter()  # by ending
        self._special = 0
        self._unreadable: list[str] = []
        self._deep = 0
        self._folders: set[tuple[int, int]] = set()  # entered: by a second link they are not again
        self.files: list[Path] = []

    def add(self, name: str) -> None:
        path = Path(name)
        if name == str(STDIN):
            self._take(STDIN)
        elif _is(stat.S_ISDIR, path):
            self._add_folder(path, path, 0)
        else:
            path = path.absolute() if path == STDIN else path
            with open_regular(path) as file:
                kind_of(display_name(path), file.read(HEAD))
            self._take(path)

    def warnings(self) -> tuple[str, ...]:
        warnings: list[str] = []
        if self._skipped:
            kinds = ", ".join(f"{count:,} {ending}" for ending, count in self._skipped.most_common(5))
            more = ", ..." if len(self._skipped) > 5 else ""
            warnings.append(
                f"{_count(self._skipped.total(), 'file')} skipped, not known as documents: {kinds}{more}"
            )
        if self._special:
            special = _count(self._special, "file")
            warnings.append(f"{special} skipped, no regular files (devices, pipes, sockets, broken links)")
        if self._deep:
            folders = _count(self._deep, "folder")
            warnings.append(f"{folders} skipped, nested deeper than {MOST_FOLDER_DEPTH}")
        if self._unreadable:
            warnings.append(f"folders that cannot be read: {', '.join(self._unreadable[:5])}")
        return tuple(warnings)

    def _take(self, path: Path) -> None:
        identity = path if path == STDIN else path.resolve()
        if identity in self._known:
            return
        if len(self.files) == MOST_FILES:
            raise Qwen2Error(f"more than {MOST_FILES:,} files; name fewer folders or use --only")
        self._known.add(identity)
        self.files.append(path)

    def _add_folder(self, top: Path, folder: Path, depth: int) -> None:
        if depth > MOST_FOLDER_DEPTH:
            self._deep += 1
            return
        try:
            status = folder.stat()
            paths = sorted(folder.iterdir())
        except OSError:
            self._unreadable.append(display_name(folder))
            return
        identity = (status.st_dev, status.st_ino)
        if identity in self._folders:
            return
        self._folders.add(identity)
        for path in paths:
            if path.name.startswith("."):
                continue
            if _is(stat.S_ISDIR, path):
                self._add_folder(top, path, depth + 1)
            elif not _is(stat.S_ISREG, path):
                self._special += 1
            elif self._is_wanted(path, top):
                self._take(path)
            elif self._only is None:
                self._skipped[path.suffix.lower() or "without ending"] += 1

    def _is_wanted(self, path: Path, top: Path) -> bool:
        if self._only is None:
            return path.suffix.lower() in SUFFIXES
        below = path.relative_to(top)
        return fnmatch(path.name, self._only) or fnmatch(str(below), self._only)


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Whether the path leads to something of this kind; `Path.is_dir` raises some errors."""
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
