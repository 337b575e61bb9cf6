"""Waiting for what happens elsewhere: a condition with a limit, never a pause of fixed length."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.chat.engine.interface import Engine
from app.chat.engine.messages import Event

if TYPE_CHECKING:  # engines in processes of their own start faster without it
    from textual.pilot import Pilot

#: Seconds that a busy machine may need for what takes milliseconds.
PATIENCE = 30.0


async def wait_until(pilot: "Pilot", holds: Callable[[], object]) -> None:
    """Lets the app run until `holds()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true"
        await pilot.pause(0.01)


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
