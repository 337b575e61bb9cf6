"""The engine as a process of its own, which `process.py` starts with two descriptors.

Commands come in on one, events go out on the other. Whatever else is printed goes where the parent put
stdout and stderr. When the parent is gone, so is this: its end of the commands closes, whatever ended it.
"""

import os
import signal
import threading
from collections.abc import Sequence
from typing import BinaryIO

from app.chat.engine.frames import FrameWriter, read_frame
from app.chat.engine.inbox import Inbox
from app.chat.engine.messages import Event
from app.chat.engine.opened import Opener
from app.chat.engine.worker import Worker

#: Seconds that work in progress has to end when the parent is gone.
PATIENCE = 2.0


def main(arguments: Sequence[str], opener: Opener | None = None) -> None:
    """Works until the commands end, and never returns; `arguments` are the two descriptors."""
    incoming, outgoing = map(int, arguments)
    for number in (signal.SIGINT, signal.SIGHUP):  # the terminal is the screen's affair
        signal.signal(number, signal.SIG_IGN)
    inbox = Inbox()
    with os.fdopen(incoming, "rb") as commands, os.fdopen(outgoing, "wb") as events:
        writer = FrameWriter(events)
        threading.Thread(target=_receive, args=(commands, inbox), daemon=True).start()

        def tell(event: Event) -> None:
            try:
                writer.write(event)
            except OSError:  # nobody reads; nothing that could be done is worth doing
                os._exit(0)

        Worker(inbox, tell, opener).run()
        os._exit(0)  # the operating system frees a model faster, and MLX may abort an interpreter that exits


def _receive(commands: BinaryIO, inbox: Inbox) -> None:
    try:
        while True:
            inbox.put(read_frame(commands))
    except (EOFError, OSError):
        pass
    finally:
        inbox.close()  # upon which the worker ends the process, unless a computation takes too long
        threading.Timer(PATIENCE, os._exit, (0,)).start()
