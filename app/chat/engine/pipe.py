"""The engine as another process, so that running out of memory costs a reload and not the chat."""

import queue
import threading
import time

from app.chat.engine.interface import Engine, OnEvent
from app.chat.engine.messages import Command, Died, Event, Fit, Load, Memory, Status
from app.chat.engine.outbox import Outbox
from app.chat.engine.pending import Pending
from app.chat.engine.problems import one_line
from app.chat.engine.process import MODULE, Process

_GONE = "the engine is not running; load a model with F2"


class PipeEngine(Outbox):
    """Sends commands to a process, which is started when there is something to do.

    One thread starts processes and writes to them, and one for each process reads from it.
    """

    def __init__(self, on_event: OnEvent | None = None, module: str = MODULE) -> None:
        super().__init__(on_event)
        self._module = module
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of what both kinds of threads change, the events included
        self._process: Process | None = None
        self._pending = Pending()
        self._closing = False
        self._sender = threading.Thread(target=self._send, name="engine-sender", daemon=True)
        self._sender.start()

    def post(self, command: Command) -> None:
        self._commands.put(command)

    def close(self, timeout: float) -> bool:
        """As the interface says; a process that is still busy then is killed, which always succeeds."""
        deadline = time.monotonic() + timeout
        self._closing = True
        self._commands.put(None)
        self._sender.join(timeout)
        with self._lock:
            process = self._process
        if process is not None:
            process.end(max(0.0, deadline - time.monotonic()))
        return True

    def _send(self) -> None:
        """The sender's work."""
        while (command := self._commands.get()) is not None and not self._closing:
            try:
                process = self._process_for(command)
                if process is None:
                    self._refuse(command, _GONE)
                else:
                    process.send(command)
            except Exception as error:  # noqa: BLE001 - no process starts, or a command cannot be pickled
                self._refuse(command, one_line(error))
        if self._process is not None:
            self._process.hang_up()

    def _process_for(self, command: Command) -> Process | None:
        """The process that runs; a new one where a command is worth starting it."""
        with self._lock:
            if self._process is None and isinstance(command, Load | Fit):
                self._process = Process(self._module, self._heard, self._ended)
            if self._process is not None:
                self._pending.asked(command)
            return self._process

    def _refuse(self, command: Command, message: str) -> None:
        """Answers a command that no process can."""
        with self._lock:
            refused = Pending()
            refused.asked(command)
            for event in refused.given_up(message):
                self._pending.answered(event)
                self.tell(event)
            if isinstance(command, Status):
                self.tell(Memory(0, 0, 0))

    def _heard(self, event: Event) -> None:
        """Called by the process's reader with what it sent."""
        with self._lock:
            self._pending.answered(event)
            self.tell(event)

    def _ended(self, process: Process, reason: str) -> None:
        """Called by the process's reader when it is gone, with the reason in one line."""
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            lost = self._pending.given_up(reason)
            if not self._closing:
                for event in (*lost, Died(reason)):
                    self.tell(event)


def pipe_engine(on_event: OnEvent | None = None, module: str = MODULE) -> Engine:
    """An engine in a process of its own; `module` is what that runs, with `main(arguments)`."""
    return PipeEngine(on_event, module)
