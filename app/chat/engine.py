"""The one thread that owns everything MLX, and the messages it understands.

MLX keeps streams, lazy arrays and the random state per thread: what one thread built
another cannot evaluate, and a generator must be closed where it ran. So a single thread,
as old as the program, loads, generates, stops and frees; a screen talks to it through
`Engine.post` and finds what happened in `Engine.events`, a deque it empties at its own
pace. Neither side ever waits for the other.

Every answer has a turn number chosen by the screen. Stopping names a turn, so a late stop
cannot hit the next answer, and what still arrives from an older turn can be told apart.
"""

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import assert_never

from app.chat.settings import Session, Settings, open_session
from qwen2_mlx.errors import Qwen2Error

STOPPED = "stopped"


# Commands: what a screen asks for.


@dataclass(frozen=True)
class Load:
    """Open the model; replaces the one that is open. Answered by Loading, then Loaded or Failed."""

    settings: Settings


@dataclass(frozen=True)
class Send:
    """Answer this text. Answered by Reading and Text events, then Finished or Failed."""

    turn: int
    text: str


@dataclass(frozen=True)
class Stop:
    """End this turn and all before it, whether running or still waiting."""

    turn: int


@dataclass(frozen=True)
class Clear:
    """Forget the conversation, keep the model."""


Command = Load | Send | Stop | Clear


# Events: what the engine reports.


@dataclass(frozen=True)
class Loading:
    """The model is being read."""

    model: str


@dataclass(frozen=True)
class Loaded:
    """The model is ready."""

    model: str


@dataclass(frozen=True)
class Reading:
    """The prompt is being read: this many of its tokens are done."""

    turn: int
    done: int
    total: int


@dataclass(frozen=True)
class Text:
    """A piece of the answer, and where the turn stands."""

    turn: int
    text: str
    context_tokens: int  # prompt and answer so far
    tokens_per_second: float


@dataclass(frozen=True)
class Finished:
    """The turn is over. `reason` is "stop", "length" or "stopped" (by the reader)."""

    turn: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """Loading (turn None) or a turn ended in an error; `message` is one line for the user."""

    turn: int | None
    message: str


Event = Loading | Loaded | Reading | Text | Finished | Failed


class _Interrupted(Exception):
    """Raised inside the prompt's progress callback, the only way out of a prefill."""


class Engine:
    """Runs commands one after another on its own thread.

    `opener` is called on that thread with the settings of each Load and returns a session.
    """

    def __init__(self, opener: Callable[[Settings], Session] = open_session) -> None:
        self.events: deque[Event] = deque()
        self._open = opener
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._stopped_turn = -1  # this turn and all before it are over
        self._closing = False
        self._session: Session | None = None
        self._settings = Settings()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def post(self, command: Command) -> None:
        """Hands over a command and returns at once; Stop takes effect ahead of the queue."""
        if isinstance(command, Stop):
            self._stopped_turn = max(self._stopped_turn, command.turn)
        else:
            self._commands.put(command)

    def close(self, timeout: float) -> bool:
        """Ends whatever runs, then the thread; False when it is still busy after `timeout` s."""
        self._closing = True
        self._commands.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (command := self._commands.get()) is not None and not self._closing:
            turn = command.turn if isinstance(command, Send) else None
            try:
                self._run(command)
            except Qwen2Error as error:
                self.events.append(Failed(turn, str(error)))
            except Exception as error:  # noqa: BLE001 - a bug must reach the screen
                self.events.append(Failed(turn, f"{type(error).__name__}: {error}"))
        self._session = None  # arrays are freed on the thread that made them
        _leave_mlx()

    def _run(self, command: Command) -> None:
        match command:
            case Load(settings):
                self._load(settings)
            case Send(turn, text):
                self._send(turn, text)
            case Clear():
                if self._session is not None:
                    self._session.clear()
            case Stop():
                pass  # took effect in post()
            case _:
                assert_never(command)

    def _load(self, settings: Settings) -> None:
        self.events.append(Loading(settings.model))
        self._session = None  # two models at once may not fit
        self._settings = settings
        self._session = self._open(settings)
        self.events.append(Loaded(settings.model))

    def _send(self, turn: int, text: str) -> None:
        if self._session is None:
            raise Qwen2Error("no model is loaded; quit and start again with another --model")
        try:
            reason = self._stream(self._session, turn, text)
        except _Interrupted:
            reason = STOPPED
        self.events.append(Finished(turn, reason))

    def _stream(self, session: Session, turn: int, text: str) -> str:
        """Generates until the answer ends or is stopped; returns why it ended."""

        def on_prefill(done: int, total: int) -> None:
            self._check(turn)
            self.events.append(Reading(turn, done, total))

        self._check(turn)
        reason = "stop"
        overrides = {**self._settings.overrides, "on_prefill": on_prefill}
        with closing(session.send(text, **overrides)) as events:
            for event in events:
                context = event.reused_tokens + event.prompt_tokens + event.generation_tokens
                self.events.append(Text(turn, event.text, context, event.generation_tps))
                if event.finish_reason is None:
                    self._check(turn)
                else:
                    reason = event.finish_reason
        return reason

    def _check(self, turn: int) -> None:
        """Leaves the turn when it was stopped or the program is ending."""
        if self._closing or turn <= self._stopped_turn:
            raise _Interrupted


def _leave_mlx() -> None:
    """Ends MLX on this thread; without it the interpreter often aborts when it exits."""
    if "mlx.core" in sys.modules:  # not worth importing only to leave it
        import mlx.core as mx

        mx.synchronize()
        mx.clear_streams()
