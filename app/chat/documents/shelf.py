"""The documents of a chat as they are opened, indexed and read again: what the panel shows.

A place is made for each name that is being opened. A file that was read waits there until it is indexed,
then gets a place of its own before it: a folder's place gives way to its files one by one.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.ask.lines import one_line, shorten
from app.chat.documents.items import Item
from app.chat.documents.reports import Ended, Indexed, Opened, Refused, Report, Working

if TYPE_CHECKING:
    from app.ask.library import File

#: Columns of a name.
_LONGEST_NAME = 200

#: Told that a file belongs to the chat now, and the id of the one that it replaces, if any.
OnAttached = Callable[["File", int | None], None]


class Shelf:
    """Items in the order in which they were attached."""

    def __init__(self, on_attached: OnAttached) -> None:
        self.items: tuple[Item, ...] = ()
        self._on_attached = on_attached
        self._keys = 0

    @property
    def ready(self) -> "tuple[File, ...]":
        """The files that can be asked about."""
        return tuple(item.stored for item in self.items if item.stored and item.state == "ready")

    @property
    def opening(self) -> list[Item]:
        """What is not open yet."""
        return [item for item in self.items if item.state == "opening"]

    def add(self, name: str, attached: int | None = None) -> int:
        """Makes a place for a name that is being opened, and returns its key.

        `attached` is the id of the file by which the chat knows it, if it does.
        """
        key = self._key()
        self.items += (Item(key, _name(name), "opening", attached=attached),)
        return key

    def remove(self, key: int) -> list[Item]:
        """Takes away the item with this key, or with a file of this id, and returns it."""
        gone = [item for item in self.items if key in (item.key, item.file)]
        self.items = tuple(item for item in self.items if item not in gone)
        return gone

    def drop_refused(self) -> None:
        """Takes away what was refused and never belonged to the chat."""
        self.items = tuple(item for item in self.items if item.state != "refused" or item.attached)

    def clear(self) -> None:
        """Takes everything away."""
        self.items = ()

    def take(self, report: Report) -> bool:
        """Whether a report changes an item; one about a job that was given up changes none."""
        match report:
            case Working():
                return self._working(report)
            case Opened():
                return self._opened(report)
            case Indexed(file, tokens):
                return self._indexed(file, tokens)
            case Refused(job, name, line):
                return self._refused(job, name, line)
            case Ended(job):
                return self._ended(job)
        return False

    def _working(self, report: Working) -> bool:
        at = next((at for at, item in enumerate(self.items) if item.key == report.job), None)
        if at is None:
            return False
        name = self.items[at].name if self.items[at].state == "ready" else _name(report.name)
        self._change(
            at, name=name, stage=report.stage, done=report.done, total=report.total, left=report.left
        )
        return True

    def _opened(self, report: Opened) -> bool:
        """A file has been read: in place of an older one, else it waits in its job's place."""
        file = report.file
        known = {"stored": file, "unit": file.unit, "pages": report.pages, "starts": report.starts}
        older = self._index_of_file(report.replaces)
        if older is not None and self.items[older].state == "ready":
            self._on_attached(file, report.replaces)
            self._change(older, **known)
            return True
        at = self._opening(report.job)
        if at is None or self._index_of_file(file.id) is not None:
            return False
        self._on_attached(file, report.replaces)
        at += self._settle(at)
        self._change(at, attached=None, **known)
        return True

    def _indexed(self, file: int, tokens: int) -> bool:
        at = self._index_of_file(file)
        if at is None:
            return False
        self._change(at, tokens=tokens)
        if self.items[at].state == "opening":
            self._settle(at)
        else:
            self._change(at, stage="", done=0, total=0, left=None)
        return True

    def _refused(self, job: int, name: str, line: str) -> bool:
        at = self._opening(job)
        if at is None:
            return False
        at += self._settle(at)
        attached = self.items[at].attached
        self._change(at, attached=None)
        self._insert(at, Item(self._key(), _name(name), "refused", attached=attached, note=one_line(line)))
        return True

    def _ended(self, job: int) -> bool:
        """What a job has opened stays, its own place goes."""
        at = self._opening(job)
        if at is None:
            return False
        at += self._settle(at)
        self.items = self.items[:at] + self.items[at + 1 :]
        return True

    def _settle(self, at: int) -> int:
        """Gives the file that waits in a job's place one of its own before it; how many that were."""
        item = self.items[at]
        if item.stored is None:
            return 0
        name = _shown(item.stored)
        ready = replace(item, key=self._key(), name=name, state="ready", stage="", done=0, total=0, left=None)
        self.items = (*self.items[:at], ready, Item(item.key, item.name, "opening"), *self.items[at + 1 :])
        return 1

    def _change(self, at: int, **values: Any) -> None:
        self.items = (*self.items[:at], replace(self.items[at], **values), *self.items[at + 1 :])

    def _insert(self, at: int, item: Item) -> None:
        self.items = (*self.items[:at], item, *self.items[at:])

    def _key(self) -> int:
        self._keys -= 1  # below zero, because ids of files are above it
        return self._keys

    def _opening(self, job: int) -> int | None:
        places = (at for at, item in enumerate(self.items) if item.key == job and item.state == "opening")
        return next(places, None)

    def _index_of_file(self, file: int | None) -> int | None:
        return next((at for at, item in enumerate(self.items) if file and item.file == file), None)


def _name(name: str) -> str:
    return shorten(name, _LONGEST_NAME)


def _shown(file: "File") -> str:
    """The name of a file as it was given where that is short, else its last part."""
    return _name(Path(file.name).name if Path(file.name).is_absolute() else file.name)
