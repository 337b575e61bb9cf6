"""What happens while documents are read and a question is answered, on stderr.

For people, where things stand is one line that replaces itself, on a terminal only. What is worth knowing
later (a warning, a level that begins, a step) is a line of its own, also where nobody looks.
"""

import math
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from app.ask import events
from app.ask.as_json import dumps, event_json
from app.ask.flags import PROGRAM
from app.ask.lines import one_line, shorten
from app.eval.progress import duration

if TYPE_CHECKING:
    from app.ask.library import Library

_SECONDS_BETWEEN = 0.1
_CLEAR = "\r\x1b[K"

#: Stages that name the file they work on, because there is no find yet.
_BEFORE_SEARCH = ("opening", "indexing")

STOP_HINT = "Ctrl-C = answer now"


class Watcher(Protocol):
    """Whoever is told what happens.

    `stoppable` says whether Ctrl-C would give an answer now, `plain` whether lines for people may stand on
    stderr.
    """

    stoppable: bool
    plain: bool

    def happened(self, event: events.Event) -> None: ...

    def tell(self, message: str) -> None:
        """A line that people should know."""
        ...

    def close(self) -> None:
        """Leaves the terminal's line free, because something else will be written."""
        ...


class Progress:
    """Shows events on stderr."""

    plain = True

    def __init__(self, verbose: bool = False) -> None:
        self.stoppable = False
        self._verbose = verbose
        self._shown, self._stage = -math.inf, ""
        self._dirty = False
        self._text = ""

    def happened(self, event: events.Event) -> None:
        match event:
            case events.Working():
                self._status(working_line(event, self.stoppable), event.stage)
            case events.Text(text):
                self._text += text
                self._status("answering: " + self._text[-shutil.get_terminal_size().columns :], "text")
            case events.Step(number, hop):
                finding = one_line(hop.finding) or "nothing found"
                self.tell(f"step {number}: {one_line(hop.question)} {finding}")
            case events.Escalation():
                self._text = ""
                self.tell(escalation_line(event))
            case events.Draft(answer):
                self._text = ""
                if answer.status != "not_found" and (self._verbose or sys.stderr.isatty()):
                    self.tell(f"so far: {one_line(answer.text)}")
            case events.Read() | events.Final():
                pass

    def tell(self, message: str) -> None:
        self.close()
        print(f"{PROGRAM}: {one_line(message)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._dirty:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
        self._dirty = False

    def _status(self, line: str, stage: str) -> None:
        """Shows a line, unless one about the same stage was shown just now."""
        now = time.monotonic()
        recent = stage == self._stage and now - self._shown < _SECONDS_BETWEEN
        if recent or not sys.stderr.isatty():
            return
        self._stage = stage
        line = shorten(line, shutil.get_terminal_size().columns - 1)
        print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
        self._shown, self._dirty = now, True


class EventLines:
    """Writes events as JSON to stderr, an object a line (`--events`)."""

    stoppable = plain = False

    def __init__(self, library: "Library"):
        self._library = library

    def happened(self, event: events.Event) -> None:
        self._write(event_json(event, self._library))

    def tell(self, message: str) -> None:
        self._write({"event": "message", "text": message})

    def close(self) -> None:
        pass

    def _write(self, line: dict[str, Any]) -> None:
        print(dumps(line), file=sys.stderr, flush=True)


class Silent:
    """Shows nothing."""

    stoppable = plain = False

    def happened(self, event: events.Event) -> None:
        pass

    def tell(self, message: str) -> None:
        pass

    def close(self) -> None:
        pass


def working_line(event: events.Working, stoppable: bool) -> str:
    """ "reading 212/1,040 windows | best: letters.txt, page 318 | 3:10 left | Ctrl-C = answer now"."""
    count = f" {event.done:,}/{event.total:,} {event.unit}" if event.total > 1 else ""
    parts = [event.stage + count]
    if event.best:
        parts.append(event.best if event.stage in _BEFORE_SEARCH else f"best: {event.best}")
    if event.left is not None:
        parts.append(f"{duration(event.left)} left")
    if stoppable:
        parts.append(STOP_HINT)
    return " | ".join(parts)


def escalation_line(event: events.Escalation) -> str:
    """ "no part of the evidence says so; going on with read, about 3:10 (Ctrl-C = answer now)"."""
    time_needed = "" if event.seconds is None else f", about {duration(event.seconds)}"
    return f"{event.reason}; going on with {event.mode}{time_needed} ({STOP_HINT})"
