"""What the librarian does with a request: finding, reading, indexing, comparing, pricing."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, assert_never

from app.ask.lines import one_line
from app.chat.documents.names import split_pattern
from app.chat.documents.planning import plan_of
from app.chat.documents.reports import (
    Check,
    Index,
    Indexed,
    Open,
    Opened,
    Price,
    Priced,
    Refused,
    Reopen,
    Report,
    Request,
    Said,
    Use,
    Working,
)
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.chunking import Cutter
    from app.ask.library import File, Library
    from app.ask.planning import Plan
    from app.chat.options import Setup

#: Seconds between two reports on the same stage.
_REPORT_EVERY = 0.1

#: Files of one name that are refused by a line of their own each; of the others there is one line.
_MOST_REFUSED = 5


class GivenUp(BaseException):
    """The job is not wanted any more. It is no `Exception`, so that no parser takes it for damage."""


class Held(Qwen2Error):
    """A file has changed while it is being asked about."""


class Door(Protocol):
    """What the desk knows of the world outside its thread."""

    def check(self, job: int | None = None) -> None:
        """Raises `GivenUp` where the job is not wanted any more."""
        ...

    def changing(self, path: Path) -> AbstractContextManager[None]:
        """Held while a text is put in place; raises `Held` where the old one is being asked about."""
        ...

    def report(self, report: Report) -> None: ...


class Desk:
    """Does one request after another with a library that belongs to this thread."""

    def __init__(self, library: "Library", door: Door) -> None:
        self._library, self._door = library, door
        self._setup: Setup | None = None
        self._plan: Plan | None = None
        self._stamps: dict[str, tuple[int, ...] | None] = {}  # of files as they were last compared

    def handle(self, request: Request) -> None:
        """Reports what comes of a request. Raises `GivenUp`, and `Qwen2Error` where the library refuses."""
        match request:
            case Open():
                self._open(request)
            case Reopen():
                self._reopen(request)
            case Use(setup):
                self._use(setup)
            case Index(job, file):
                self._index(job, file, file.name)
            case Check(files):
                for file in files:
                    self._check(file)
            case Price(files):
                self._door.report(Priced(files, self._price(files)))
            case _:
                assert_never(request)

    # Opening.

    def _open(self, request: Open) -> None:
        from app.ask.documents.find import find_files

        self._door.check(request.job)
        try:
            path, only = split_pattern(request.name)
            found = find_files([_named(path)], only)
        except Qwen2Error as error:
            self._door.report(Refused(request.job, request.name, str(error)))
            return
        before = {file.path: file.id for file in self._library.files()}
        refused = 0
        for number, path in enumerate(found.files, 1):
            label = (
                path.name if len(found.files) == 1 else f"{path.name} ({number:,} of {len(found.files):,})"
            )
            try:
                file = self._read(request.job, path, label)
            except Qwen2Error as error:
                refused += 1
                if refused <= _MOST_REFUSED:
                    self._door.report(Refused(request.job, path.name, str(error)))
            else:
                self._opened(request.job, file, before.get(file.path), label)
        if refused > _MOST_REFUSED:
            self._say(f"{refused - _MOST_REFUSED:,} more files of {request.name} could not be read")
        for warning in found.warnings:
            self._say(warning)

    def _reopen(self, request: Reopen) -> None:
        """As it is on disk now, else as the library holds it."""
        self._door.check(request.job)
        path = Path(_named(Path(request.path))) if request.path else None
        try:
            if path is None:
                file = self._library.file(request.file)
            else:
                file = self._read(request.job, path, path.name)
        except Qwen2Error as error:
            try:
                file = self._library.file(request.file)
            except KeyError:
                self._door.report(Refused(request.job, request.name, str(error)))
                return
            self._say(f"{error}; using the text as it was")
        except KeyError:
            line = "its text is not in the library any more; attach it again"
            self._door.report(Refused(request.job, request.name, line))
            return
        if file.id != request.file and path is not None:
            self._say(f"{file.name} has changed since it was attached and was read again")
        self._opened(request.job, file, request.file, file.name)

    def _opened(self, job: int, file: "File", before: int | None, label: str) -> None:
        replaces = before if before != file.id else None
        pages, starts = self._pages(file)
        self._door.report(Opened(job, file, pages, starts, replaces))
        self._index(job, file, label)

    def _read(self, job: int | None, path: Path, label: str) -> "File":
        """The file at `path` as it is now, read only if the library does not hold it so."""
        from app.ask.documents.read import read_document

        self._door.check(job)
        stamp = _stamp(path)
        if not (file := self._library.find(path)):
            document = read_document(path, self._progress(job, label, "reading"))
            with self._door.changing(path):
                file = self._library.add(document, path)
        self._stamps[file.path] = stamp
        return file

    def _pages(self, file: "File") -> tuple[int, tuple[int, ...]]:
        """How many pages or lines a file has, and where its pages begin."""
        if file.unit == "line":
            return self._library.place(file.id, file.characters).line, ()
        pages = self._library.document(file.id).pages
        return len(pages), tuple(page.start for page in pages)

    # Indexing.

    def _use(self, setup: "Setup | None") -> None:
        if setup != self._setup:
            self._setup, self._plan = setup, None

    def _index(self, job: int, file: "File", label: str) -> None:
        """Cuts and indexes a file as the agent will ask for it, if a model is in use."""
        self._door.check(job)
        cutter = self._cutter()
        if cutter is None:
            return
        try:
            cut = self._library.cut(file.id, cutter, self._progress(job, label, "indexing"))
            tokens = self._library.tokens([cut])
        except KeyError:  # removed meanwhile by another program
            raise Qwen2Error(f"{file.name} is not in the library any more; attach it again") from None
        self._door.report(Indexed(file.id, tokens))

    def _planned(self) -> "Plan | None":
        """What the agent's models will be given; None without models."""
        if self._plan is None and self._setup is not None:
            try:
                self._plan = plan_of(self._setup)
            except Qwen2Error as error:
                self._setup = None  # said once, and documents are opened without it
                self._say(f"{error}; documents are indexed when they are asked about")
        return self._plan

    def _cutter(self) -> "Cutter | None":
        from app.ask.chunking import Cutter

        plan = self._planned()
        return Cutter(plan.tokenizer, plan.sizes.chunk, plan.sizes.overlap) if plan else None

    def _price(self, files: tuple[int, ...]) -> str:
        from app.chat.documents.price import price_line

        plan, cutter = self._planned(), self._cutter()
        if plan is None or cutter is None or self._setup is None or not files:
            return ""
        try:
            stored = [self._library.file(id) for id in files]
            sets = [self._library.cut(id, cutter) for id in files]
        except KeyError:
            return ""
        return price_line(self._library, stored, sets, plan, self._setup)

    # Noticing changes.

    def _check(self, file: "File") -> None:
        """Reads a file again where its bytes are others now."""
        self._door.check()
        stamp = _stamp(Path(file.path)) if file.path else None
        if stamp is None or stamp == self._stamps.get(file.path):
            return
        try:
            now = self._read(None, Path(_named(Path(file.path))), file.name)
        except Held:
            return  # the next check reads it
        except Qwen2Error as error:
            self._stamps[file.path] = stamp
            self._say(f"{error}; using the text as it was")
            return
        if now.id != file.id:
            self._say(f"{now.name} has changed and was read again")
            self._opened(0, now, file.id, now.name)

    # Reporting.

    def _say(self, text: str) -> None:
        self._door.report(Said(one_line(text), "warning"))

    def _progress(self, job: int | None, label: str, stage: str) -> Callable[[int, int], None]:
        """Passes on how far a stage is, now and then, and leaves it when its job is given up."""
        begun = time.monotonic()
        told, first = begun, 0

        def progress(done: int, total: int) -> None:
            nonlocal told, first
            self._door.check(job)
            now = time.monotonic()
            first = first or done
            if job is not None and (now - told >= _REPORT_EVERY or done in (first, total)):
                told = now
                left = (now - begun) / done * (total - done) if done else None
                self._door.report(Working(job, label, stage, done, total, left))

        return progress


def _named(path: Path) -> str:
    """A path as people would name it here; never "-", which stands for stdin elsewhere."""
    absolute, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100 - links stay links
    named = absolute.relative_to(here) if absolute.is_relative_to(here) else absolute
    return str(absolute) if str(named) == "-" else str(named)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is written; None where it cannot be told."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
