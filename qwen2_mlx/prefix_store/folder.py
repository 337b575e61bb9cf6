"""The entries of one folder: each is whole or not there, whatever happens and whoever else writes.

An entry is written under a temporary name, forced to the disk and renamed, so that readers
need no lock. Two writers of one entry write the same content, and the last rename wins. A
temporary file is locked while its writer lives; one that can be locked is garbage. A
damaged file is moved to `set-aside/`, where `qwen2-cache` can show it. The files together
stay within a limit: what was set aside goes first, then the entries unused for longest.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from qwen2_mlx.prefix_store.entry import Header, entry_bytes, write_entry
from qwen2_mlx.prefix_store.settings import prefix_folder, size_limit, size_text

_NAME = re.compile(r"([0-9a-f]{64})-([0-9]{1,10})\.safetensors")
_UNFINISHED = ".unfinished-"
_SET_ASIDE = "set-aside"

#: Disk space that is left to everybody else.
_SPARE_BYTES = 256 * 2**20


class NoRoomError(Exception):
    """An entry that the limit or the disk has no room for; the message says which."""


@dataclass(frozen=True)
class StoredFile:
    """One file of the folder. `used` is the time of its last use, in seconds since 1970."""

    path: Path
    key: str
    tokens: int
    size: int
    used: float


class Folder:
    """Finds, adds and removes entries. Every method may raise `OSError`."""

    def __init__(self, path: Path, limit: int):
        """`limit` is in bytes. Nothing is created before the first entry is added."""
        self.path, self.limit = path, limit

    def files(self) -> list[StoredFile]:
        """All entries by name, the last used first."""
        found = []
        for path, status in _listing(self.path):
            if match := _NAME.fullmatch(path.name):
                found.append(StoredFile(path, match[1], int(match[2]), status.st_size, status.st_mtime))
        return sorted(found, key=lambda file: file.used, reverse=True)

    def set_aside_files(self) -> list[tuple[Path, int]]:
        """Path and size of what was found damaged, the oldest first."""
        found = sorted(_listing(self.path / _SET_ASIDE), key=lambda entry: entry[1].st_mtime)
        return [(path, status.st_size) for path, status in found]

    def entry_path(self, key: str, tokens: int) -> Path:
        return self.path / f"{key}-{tokens}.safetensors"

    def touch(self, path: Path) -> None:
        """Notes that an entry was used now, where that can be noted."""
        with contextlib.suppress(OSError):
            os.utime(path)

    def add(self, key: str, tokens: int, header: Header, payload: Iterable[memoryview]) -> Path:
        """Stores an entry and makes room for it. Raises `NoRoomError`; whatever fails, nothing is lost.

        The limit holds for finished entries: older ones go only when the new one is safe.
        """
        size = entry_bytes(header)
        if size > self.limit:
            raise NoRoomError(f"{size_text(size)} are more than the limit of {size_text(self.limit)}")
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents are private
        disk = os.statvfs(self.path)
        free = disk.f_bavail * disk.f_frsize
        if size + _SPARE_BYTES > free:
            raise NoRoomError(f"{size_text(size)} are needed and the disk has {size_text(free)} left")
        path = self.entry_path(key, tokens)
        with self._unfinished() as (unfinished, file):
            write_entry(file, header, payload)
            file.flush()
            os.fsync(file.fileno())
            unfinished.rename(path)
        _sync_folder(self.path)
        self._make_room(keep=path)
        return path

    def remove(self, path: Path) -> None:
        """Removes a file; readers that have it open keep what they read."""
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path, file: BinaryIO) -> Path | None:
        """Moves a damaged file out of the way and returns where to; None if it is already gone.

        `file` is the open file that was found damaged. Should another process have put a good
        one in its place meanwhile, that one stays.
        """
        aside = self.path / _SET_ASIDE
        aside.mkdir(mode=0o700, exist_ok=True)
        target = aside / f"{path.stem}-{secrets.token_hex(4)}.damaged"
        try:
            path.rename(target)
        except FileNotFoundError:
            return None
        with contextlib.suppress(FileNotFoundError):  # made room for something already
            if not os.path.samestat(target.stat(), os.fstat(file.fileno())):
                target.rename(path)
                return None
        return target

    def sweep(self) -> None:
        """Removes the temporary files of writers that are gone."""
        for path, _ in _listing(self.path):
            if path.name.startswith(_UNFINISHED):
                with contextlib.suppress(OSError), path.open("rb") as file:  # locked, or just gone
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    @contextlib.contextmanager
    def _unfinished(self) -> Iterator[tuple[Path, BinaryIO]]:
        """A new locked file under a temporary name, which is gone afterwards unless it was renamed."""
        while True:
            path = self.path / f"{_UNFINISHED}{secrets.token_hex(8)}"
            with open(path, "xb", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not path.exists():  # swept before it was locked
                    continue
                try:
                    yield path, file
                finally:
                    path.unlink(missing_ok=True)
                return

    def _make_room(self, keep: Path) -> None:
        """Removes files, the least useful first, until the rest is within the limit."""
        aside, entries = self.set_aside_files(), self.files()
        total = sum(size for _, size in aside) + sum(file.size for file in entries)
        by_age = [(file.path, file.size) for file in reversed(entries) if file.path != keep]
        for path, size in (*aside, *by_age):
            if total <= self.limit:
                return
            self.remove(path)
            total -= size


def default_folder() -> Folder:
    """The user's own. Raises `Qwen2Error` where the environment sets a limit that is none."""
    return Folder(prefix_folder(), size_limit())


def _listing(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """The regular files of a folder that may not exist, and may lose some as it is read."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    found.append((path, path.stat()))
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Forces the folder's list of names to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
