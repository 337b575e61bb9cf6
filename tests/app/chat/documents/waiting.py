"""Waiting for a librarian: until a condition holds, with a limit."""

import time
from collections.abc import Callable

from tests.app.chat.waiting import PATIENCE


def until(holds: Callable[[], object], pump: Callable[[], object] = lambda: None) -> None:
    """Calls `pump` again and again until `holds()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true"
        pump()
        time.sleep(0.005)
