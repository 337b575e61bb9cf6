"""Waiting for what an engine reports."""

import time

from app.chat.engine import Engine, Event
from tests.app.chat.scripted import PATIENCE


def events_until(engine: Engine, last: type[Event], turn: int | None = None) -> list[Event]:
    """What the engine reports, up to the first event of this kind and turn."""
    seen: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        while engine.events:
            seen.append(engine.events.popleft())
            if isinstance(seen[-1], last) and getattr(seen[-1], "turn", None) == turn:
                return seen
        time.sleep(0.001)
    raise AssertionError(f"no {last.__name__} came, only {seen}")
