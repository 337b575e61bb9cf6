"""What a screen sees of an engine, whichever kind it is."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from app.chat.engine.messages import Command, Event

#: Called with each event, before it is put among the others, on the thread it comes from.
OnEvent = Callable[[Event], None]

#: Called, on any thread, when an event arrives where none was waiting.
Wake = Callable[[], None]


class Engine(Protocol):
    """Takes commands and reports events, and makes nobody wait."""

    #: What happened and was not looked at yet, the oldest first; emptied by the screen.
    events: deque[Event]
    wake: Wake | None

    def post(self, command: Command) -> None:
        """Hands over a command and returns at once; Stop takes effect ahead of the others."""
        ...

    def close(self, timeout: float) -> bool:
        """Ends whatever runs, then the engine; False when it is still busy after `timeout` seconds."""
        ...
