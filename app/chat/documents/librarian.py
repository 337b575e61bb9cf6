"""The thread that brings documents into the library while the chat goes on.

It has its own connection to the library, finds the files of a name, reads those that the library does
not hold as they are now, and cuts and indexes them as the agent will ask for them. A screen talks to it
through `post` and finds what happened in `reports`, a deque it empties at its own pace; neither side
ever waits for the other.

The text of a file that is being asked about must not go away under the question, so a file that has
changed since is not read again while it is held.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.chat.documents.desk import Desk, GivenUp, Held
from app.chat.documents.reports import (
    Check,
    Checked,
    Ended,
    Index,
    Open,
    Opened,
    Price,
    Refused,
    Reopen,
    Report,
    Request,
    Said,
    Severity,
    Use,
)
from app.chat.engine.problems import one_line
from qwen2_mlx.errors import Qwen2Error


class Librarian:
    """Runs requests one after another on its own thread, which ends with the program."""

    def __init__(self, library: Path | None) -> None:
        """`library` is the path of the library, None for the user's own."""
        self.reports: deque[Report] = deque()
        self._path = library
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._closing = False
        self._changing = threading.Lock()
        self._held: frozenset[str] = frozenset()
        self._untold = False  # a text was put in place, and the screen does not know of it yet
        self._thread = threading.Thread(target=self._run, name="librarian", daemon=True)
        self._thread.start()

    def post(self, request: Request) -> None:
        """Hands over a request and returns at once."""
        self._requests.put(request)

    def cancel(self, job: int) -> None:
        """Ends a job, whether it is running or waiting; what it has read stays in the library."""
        self._cancelled.add(job)

    def hold(self, paths: Collection[str]) -> bool:
        """From now on the texts of these files stay as they are; False where one is changing just now.

        All that has changed before is in the reports then.
        """
        if not self._changing.acquire(blocking=False):
            return False
        try:
            if self._untold:
                return False
            self._held = frozenset(paths)
            return True
        finally:
            self._changing.release()

    def release(self) -> None:
        """Nothing is asked about any more."""
        self._held = frozenset()

    def close(self, timeout: float) -> bool:
        """Ends whatever runs, then the thread; False when it is still busy after `timeout` seconds."""
        self._closing = True
        self._requests.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from app.ask.library import Library

        try:
            library = Library.open(self._path, lambda line: self._say(line, "warning"))
        except (Qwen2Error, OSError) as error:
            self._refuse_all(str(error))
            return
        with library:
            desk = Desk(library, self)
            while not self._closing and (request := self._requests.get()) is not None:
                try:
                    desk.handle(request)
                except GivenUp:
                    pass
                except Exception as error:  # noqa: BLE001 - a full disk, or a bug, must reach the screen
                    self._fail(request, one_line(error))
                finally:
                    self._end(request)

    def _refuse_all(self, line: str) -> None:
        """The library cannot be opened: nothing can."""
        while not self._closing and (request := self._requests.get()) is not None:
            self._fail(request, line)
            self._end(request)

    def _fail(self, request: Request, line: str) -> None:
        """Says why nothing came of a request: where its document stands, else aloud."""
        if isinstance(request, Open | Reopen):
            self.reports.append(Refused(request.job, request.name, line))
        elif not isinstance(request, Use | Price):
            self._say(line, "error")

    def _end(self, request: Request) -> None:
        self._untold = False
        if isinstance(request, Open | Reopen | Index):
            self.reports.append(Ended(request.job))
        elif isinstance(request, Check):
            self.reports.append(Checked())

    def _say(self, text: str, severity: Severity = "information") -> None:
        self.reports.append(Said(text, severity))

    # What the desk needs to know.

    def report(self, report: Report) -> None:
        """Puts a report where the screen finds it."""
        self.reports.append(report)
        if isinstance(report, Opened):
            self._untold = False

    def check(self, job: int | None = None) -> None:
        """Leaves a job that is not wanted any more."""
        if self._closing or job in self._cancelled:
            raise GivenUp

    @contextmanager
    def changing(self, path: Path) -> Iterator[None]:
        """Keeps questions away while the text of a file is put in place of an older one."""
        with self._changing:
            if os.path.abspath(path) in self._held:  # noqa: PTH100 - as the library names it
                raise Held(f"{path} has changed; it is read again when its question has been answered")
            yield
            self._untold = True
