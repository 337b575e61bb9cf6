"""The full-screen chat: one screen over one session, and the boxes that open over it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from app.chat.config import Config, unknown_keys
from app.chat.keymap import clashes, ids, known
from app.chat.keys import bindings_of
from app.chat.palette import ChatCommands
from app.chat.screens.main import OF_THE_APP, MainScreen
from app.chat.screens.text import line
from app.chat.session.session import Session
from app.cli import clean

DEFAULT_THEME = "textual-dark"

#: How often a second the screen takes over what the engine reports.
UPDATES_PER_SECOND = 20
#: How often it looks at what wakes nobody: documents that are being opened.
LOOKS_PER_SECOND = 5
#: Seconds that a widget gets for the keys that were typed before one that belongs to the app.
PATIENCE = 0.25
#: Seconds an answer gets to end in when the reader quits.
TO_CLOSE = 0.3


class ChatApp(App[int], inherit_bindings=False):
    """Runs until the reader quits; `session` is closed by whoever made it.

    `chat` is the stored chat to begin with, None for a new one; `notices` are lines to show at the start.
    `now` is the time of the day, in seconds since 1970.
    """

    TITLE = "qwen2-chat"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {ChatCommands}  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in bindings_of("app", priority=True) if binding.id in OF_THE_APP
    ]
    CSS = """
    /* Notices come from above: at the bottom they would cover what is being written. */
    ToastRack { dock: top; align: right top; }
    /* A share of a terminal's own colour cannot be taken: the selection would hide its text. */
    Input:ansi > .input--selection { background: ansi_bright_black; color: ansi_bright_white; }
    """

    def __init__(
        self,
        session: Session,
        config: Config,
        chat: int | None = None,
        notices: Iterable[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.session, self.config = session, config
        self._first_chat, self._now = chat, now
        self._notices = [*notices, *unknown_keys(config.keymap, set(ids())), *clashes(config.keymap)]
        self._pumped = 0.0
        self._pump_is_due = self._is_started = False
        self.animation_level = "none"
        self.set_keymap(known(config.keymap))

    # The course of things.

    def get_default_screen(self) -> Screen[None]:
        return MainScreen(self.session, self.config, self._now)

    @property
    def main(self) -> MainScreen:
        """The screen under all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def on_mount(self) -> None:
        self._choose_theme(self.config.theme or DEFAULT_THEME)
        self._running_loop = asyncio.get_running_loop()
        self.session.listener = self.main.handle_change
        self.session.engine.wake = self._wake
        self.set_interval(1 / LOOKS_PER_SECOND, self._look)
        # Drawn first, loaded second: what a model needs would hold up the first frame.
        self.call_after_refresh(self.start)

    def start(self) -> None:
        """Opens the chat and has its model loaded, once: keys may come before the first frame."""
        if self._is_started:
            return
        self._is_started = True
        typed = self.main.prompt.text
        self.session.start(self._first_chat)
        if typed and self.main.prompt.text != typed:
            self.main.prompt.write(self.main.prompt.text + typed)
        for notice in self._notices:
            self.notify(clean(notice), severity="warning", markup=False)

    def on_unmount(self) -> None:
        """Nobody is there any more to be told."""
        self.session.engine.wake = None
        self.session.listener = lambda change: None

    def _choose_theme(self, name: str) -> None:
        if name in self.available_themes:
            self.theme = name
        else:
            problem = f"there is no theme {clean(name)}; /theme lists them"
            self.notify(problem, severity="warning", markup=False)

    # What the engine reports: at most `UPDATES_PER_SECOND` times a second, at once after a pause.

    def _wake(self) -> None:
        """Called on the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._running_loop.call_soon_threadsafe(self._schedule)

    def _schedule(self) -> None:
        if not self._pump_is_due:
            self._pump_is_due = True
            wait = self._pumped + 1 / UPDATES_PER_SECOND - time.monotonic()
            self._running_loop.call_later(max(0.0, wait), self.call_later, self.pump)

    def pump(self) -> None:
        """Takes over what the engine has reported."""
        self._pump_is_due = False
        self._pumped = time.monotonic()
        self.session.pump()

    def _look(self) -> None:
        if not self._pump_is_due:
            self.session.pump()

    # Keys.

    async def on_event(self, event: events.Event) -> None:
        """Lets what was typed before a key of the app arrive first.

        Bindings with priority are run here, while letters wait in the queue of the prompt: a quick
        ctrl+n would carry them into the next chat.
        """
        if isinstance(event, events.Key) and not event.is_printable and self.focused is not None:
            done = asyncio.Event()
            self.focused.call_later(done.set)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), PATIENCE)
        await super().on_event(event)

    async def action_quit(self) -> None:
        """Ends the program; whoever started the app closes the session."""
        self.main.leave()
        self.exit(0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keeps the palette to the main screen: what it does, it does there."""
        return action != "command_palette" or self.screen is self.main

    # The palette, whose commands come from `ChatCommands`.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        return ()

    # Telling people who look elsewhere.

    def tell_outside(self, text: str) -> None:
        """Rings the bell and asks the terminal for a notification; terminals that know none ignore it."""
        self.bell()
        if self._driver is not None:
            self._driver.write(f"\x1b]9;{line(text)[:200]}\x07")
