"""Events on their way to a screen."""

import logging
from collections import deque
from collections.abc import Callable

from app.chat.engine.interface import OnEvent, Wake
from app.chat.engine.messages import Event

log = logging.getLogger(__name__)


class Outbox:
    """A deque of events that calls `wake` when it was empty; `on_event` sees each event before."""

    def __init__(self, on_event: OnEvent | None = None) -> None:
        self.events: deque[Event] = deque()
        self.wake: Wake | None = None
        self._on_event = on_event

    def tell(self, event: Event) -> None:
        """Adds an event; called on one thread at a time."""
        if listen := self._on_event:
            _call(lambda: listen(event))
        self.events.append(event)
        # Looked at afterwards: whoever is emptying the deque either still finds the event or is woken.
        if len(self.events) == 1 and (wake := self.wake):
            _call(wake)


def _call(other: Callable[[], None]) -> None:
    """Calls somebody else's function, whose failure is no reason to stop thinking."""
    try:
        other()
    except Exception:
        log.exception("what listens to the engine failed; it goes on")
