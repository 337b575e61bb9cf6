"""The full-screen chat: its parts are put together, run, and closed so that nothing is lost.

`main` is what the supervisor starts. The model and everything heavy is opened on the engine's thread,
after the first frame.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app import cli
from app.chat import command
from app.chat.config import Config
from app.chat.options import Options

if TYPE_CHECKING:
    from app.chat.app import ChatApp
    from app.chat.engine import Engine, OnEvent
    from app.chat.session.session import Session
    from app.chat.store import Store

#: Seconds that an answer gets to end in when the reader quits.
TO_CLOSE = 0.3

#: Seconds a thread may run before another gets its turn: keys wait less for the thread that runs a model.
SWITCH = 0.0005

#: Seconds between two looks at whether the supervisor is still there.
LOOK = 1.0


def main() -> int:
    """Opens the chat with the flags of the command, which has read them before; returns the exit code."""
    gc.disable()  # what is made while starting stays; `run_chat` enables it again
    return cli.run(command.PROGRAM, _open)


def _open() -> int:
    from app.chat.engine import pipe_engine, thread_engine
    from app.chat.store import Store

    args = command.build_parser().parse_args()
    config, notices = command.settings(args)
    with Store.open(notify=notices.append) as store:
        chat = command.chat_of(args, store)
        if chat is not None and not store.read_only:
            store.update_chat(chat.id, options=command.given_options(args, chat.options))
        options = command.given_options(args, config.options())
        engine = pipe_engine if config.isolate else thread_engine
        return run_chat(store, engine, options, config, chat.id if chat else None, notices)


def run_chat(
    store: "Store",
    make_engine: "Callable[[OnEvent], Engine]",
    options: Options,
    config: Config,
    chat: int | None = None,
    notices: Sequence[str] = (),
) -> int:
    """Runs the chat until the reader quits; returns the exit code.

    `chat` is the stored one to open, None for a new one with `options`; `notices` are shown first.
    `make_engine` is given what is to see every event at once.
    """
    from app.chat.app import ChatApp
    from app.chat.session.session import Session

    gc.freeze()  # the collector need not look at modules and classes again, which would hold keys up
    gc.enable()
    sys.setswitchinterval(SWITCH)
    session = Session(store, make_engine, options)
    app = ChatApp(session, config, chat, notices)
    try:
        asyncio.run(_run(app, session, config.mouse))
    finally:
        ended = session.close(TO_CLOSE)
    code = app.return_code or 0
    if not ended:
        # The engine is deep inside a load: there is nothing to save any more, and tearing the
        # interpreter down under its thread can abort the process.
        store.close()
        sys.stdout.flush()
        os._exit(code)
    return code


async def _run(app: "ChatApp", session: "Session", mouse: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda number=number: app.call_later(_quit, app, 128 + number))
    loop.add_signal_handler(signal.SIGHUP, _hang_up, session)
    watch = loop.create_task(_leave_with_parent(app))
    try:
        await app.run_async(mouse=mouse)
    finally:
        watch.cancel()


def _hang_up(session: "Session") -> None:
    """Saves and dies: the terminal is gone, and drawing on it could wait for ever."""
    with contextlib.suppress(Exception):
        session.close(TO_CLOSE)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.raise_signal(signal.SIGHUP)


async def _leave_with_parent(app: "ChatApp") -> None:
    """Quits when the supervisor was killed: nobody would give the terminal back to the shell."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(LOOK)
    app.call_later(_quit, app, cli.ERROR)


def _quit(app: "ChatApp", code: int) -> None:
    app.main.leave()
    app.exit(return_code=code)
