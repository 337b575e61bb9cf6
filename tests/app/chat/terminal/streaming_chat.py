"""The chat as a process, with an engine whose tokens are known: a number each, logged before it is told.

    python -m tests.app.chat.terminal.streaming_chat CHATS LOG RATE

What the engine produced is in LOG whatever becomes of the process; each line is the time on the system's
monotonic clock and the token.
"""

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from app.chat.config import Config
from app.chat.open import run_chat
from app.chat.options import Options
from app.chat.store import Store
from benchmarks.tui.engine import StreamingEngine


class Numbers:
    """Numbers one after the other, ten to a paragraph; each is logged when it is taken."""

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __iter__(self) -> Iterator[str]:
        for number in range(1_000_000):
            os.write(self._log, f"{time.monotonic()} {number}\n".encode())
            yield f"{number}" + ("\n\n" if number % 10 == 9 else " ")


def main(chats: str, log: str, rate: str) -> int:
    """Runs the chat; it goes on with the last one in `chats`."""
    with Store.open(Path(chats)) as store:
        engine = partial(StreamingEngine, Numbers(Path(log)), float(rate), 0)
        last = store.last_chat()
        return run_chat(store, engine, Options(), Config(), last.id if last else None)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
