"""Writes an answer into the journal while it arrives, on the thread on which it arrives.

What was shown is then on the disk before the screen has drawn it: a crash costs nothing that was read.
"""

import sqlite3
import threading

from app.ask import events as ask
from app.chat.engine.messages import Event, Text, Told
from app.chat.store import Journal, Store
from qwen2_mlx.errors import Qwen2Error


class Scribe:
    """Hangs at `Engine.on_event`. Only the turn that was begun and has not ended is written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn: int | None = None
        self._message = 0
        self._store: Store | None = None
        self._journals: dict[Store, Journal] = {}
        self._has_text = False
        self._problem = ""

    def begin(self, turn: int, message: int, store: Store) -> None:
        """From now on the text of this turn belongs to this message."""
        with self._lock:
            self._turn, self._message, self._store = turn, message, store
            self._has_text = False
            if store not in self._journals:
                self._journals[store] = store.journal()

    def end(self) -> None:
        """Nothing is written after this, however late it comes: the journal can be folded."""
        with self._lock:
            self._turn = None

    def __call__(self, event: Event) -> None:
        """Takes an event, on any thread."""
        match event:
            case Text(turn, text) | Told(turn, ask.Text(text)):
                self._write(turn, text)
            case Told(turn, ask.Working(stage="answering") | ask.Escalation()) if self._has_text:
                self._write(turn, "\n\n")  # another try follows, which is shown in place of this one

    def _write(self, turn: int, text: str) -> None:
        with self._lock:
            if turn != self._turn or self._store is None:
                return
            self._has_text = not text.isspace()
            try:
                self._journals[self._store].append(self._message, text)
            except (sqlite3.Error, Qwen2Error) as error:
                # The answer goes on in memory, and is stored when it ends if that works again.
                self._problem = f"the answer cannot be saved while it is written: {error}"

    def problem(self) -> str:
        """What went wrong since this was last asked, else ""."""
        problem, self._problem = self._problem, ""
        return problem

    def close(self) -> None:
        """Lets go of the journals."""
        self.end()
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()
