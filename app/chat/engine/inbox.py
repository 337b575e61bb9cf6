"""Commands on their way to the engine, some of which overtake others."""

import threading
from collections import deque

from app.chat.engine.messages import Command, Count, Fit, Status, Stop

#: Questions that are answered in the middle of other work.
Quick = Count | Fit | Status


class Inbox:
    """Filled by any thread, emptied by the one that works."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._slow: deque[Command] = deque()
        self._quick: deque[Quick] = deque()
        self._stopped_turn = -1  # this turn and all before it are over
        self.closed = False

    def put(self, command: Command) -> None:
        """Adds a command. A Stop is seen at once; a Count takes the place of one that still waits."""
        with self._changed:
            if isinstance(command, Stop):
                self._stopped_turn = max(self._stopped_turn, command.turn)
            elif isinstance(command, Count | Fit | Status):
                if isinstance(command, Count):
                    self._quick = deque(one for one in self._quick if not isinstance(one, Count))
                self._quick.append(command)
            else:
                self._slow.append(command)
            self._changed.notify()

    def close(self) -> None:
        """Nothing more is to be done."""
        with self._changed:
            self.closed = True
            self._changed.notify()

    def take(self) -> Command | None:
        """Waits for the next command; None when closed.

        A quick one comes last: what it asks about may be the model whose Load waits too.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._quick or self._slow)
            if self.closed:
                return None
            return self._slow.popleft() if self._slow else self._quick.popleft()

    def take_quick(self) -> Quick | None:
        """The next quick command, if one waits."""
        if not self._quick:  # the usual case between two tokens; a command that comes now is seen at the next
            return None
        with self._changed:
            return self._quick.popleft() if self._quick else None

    def stopped(self, turn: int) -> bool:
        """Whether the turn is to end."""
        return turn <= self._stopped_turn
