"""The engine as a thread of this process.

MLX keeps streams, lazy arrays and the random state per thread: what one thread built another cannot
evaluate, and a generator must be closed where it ran. So a single thread, as old as the engine, loads,
generates, stops and frees.
"""

import threading

from app.chat.engine.inbox import Inbox
from app.chat.engine.interface import Engine, OnEvent
from app.chat.engine.messages import Command
from app.chat.engine.opened import Opener
from app.chat.engine.outbox import Outbox
from app.chat.engine.worker import Worker


class ThreadEngine(Outbox):
    """Runs a `Worker` on a thread of its own."""

    def __init__(self, on_event: OnEvent | None = None, opener: Opener | None = None) -> None:
        super().__init__(on_event)
        self._inbox = Inbox()
        worker = Worker(self._inbox, self.tell, opener)
        # A daemon: the program may end while a model is being read, which nothing can interrupt.
        self._thread = threading.Thread(target=worker.run, name="engine", daemon=True)
        self._thread.start()

    def post(self, command: Command) -> None:
        self._inbox.put(command)

    def close(self, timeout: float) -> bool:
        self._inbox.close()
        self._thread.join(timeout)
        return not self._thread.is_alive()


def thread_engine(on_event: OnEvent | None = None, opener: Opener | None = None) -> Engine:
    """An engine on a thread of this process.

    `opener` is called on that thread with the setup of each Load; the default loads the model.
    """
    return ThreadEngine(on_event, opener)
