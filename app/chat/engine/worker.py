"""What the engine's thread does: one command after another, and quick ones in between."""

import contextlib
import gc
import sys
from collections.abc import Callable
from typing import assert_never

from app.chat.engine.asking import ask
from app.chat.engine.fitting import Fitting
from app.chat.engine.generating import generate
from app.chat.engine.inbox import Inbox, Quick
from app.chat.engine.messages import (
    Ask,
    Command,
    Count,
    Counted,
    Event,
    Failed,
    Finished,
    Fit,
    Generate,
    Load,
    Loaded,
    Loading,
    Memory,
    Reason,
    Status,
    Stop,
    Unload,
    Unloaded,
)
from app.chat.engine.opened import Opened, Opener
from app.chat.engine.problems import one_line
from app.chat.engine.turn import Interrupted, Turn
from app.chat.options import Setup
from qwen2_mlx.errors import PromptError, Qwen2Error

_NO_MODEL = "no model is loaded; choose one with F2"


class Worker:
    """Owns the open model. Everything it does happens in `run`, on whatever thread calls that."""

    def __init__(self, inbox: Inbox, tell: Callable[[Event], None], opener: Opener | None = None) -> None:
        self._inbox, self._tell = inbox, tell
        self._open = opener or _load
        self._opened: Opened | None = None
        self._fitting = Fitting()

    def run(self) -> None:
        """Works until the inbox is closed, then leaves MLX."""
        while (command := self._inbox.take()) is not None:
            try:
                self._run(command)
            except Exception as error:  # noqa: BLE001 - a bug must reach the screen
                self._tell(Failed(getattr(command, "turn", None), one_line(error)))
        self._free()  # arrays are freed on the thread that made them
        _leave_mlx()

    def _run(self, command: Command) -> None:
        match command:
            case Load(setup):
                self._load(setup)
            case Unload():
                self._free()
                self._tell(Unloaded())
            case Generate() | Ask():
                self._take_turn(command)
            case Count() | Fit() | Status():
                self._reply(command)
            case Stop():
                pass  # the inbox has seen it
            case _:
                assert_never(command)

    def _load(self, setup: Setup) -> None:
        self._tell(Loading(setup))
        self._free()  # two models at once may not fit
        self._opened = self._open(setup)
        self._tell(Loaded(self._opened.info))

    def _free(self) -> None:
        self._opened = None
        gc.collect()  # models refer to themselves
        if mx := sys.modules.get("mlx.core"):
            mx.clear_cache()

    def _take_turn(self, command: Generate | Ask) -> None:
        turn = Turn(command.turn, self._inbox, self._tell, self._reply)
        reason: Reason = "stopped"
        with contextlib.suppress(Interrupted):
            turn.check()
            if self._opened is None:
                raise Qwen2Error(_NO_MODEL)
            work = generate if isinstance(command, Generate) else ask
            reason = work(self._opened, command, turn)  # type: ignore[arg-type]
        self._tell(Finished(command.turn, reason))

    def _reply(self, question: Quick) -> None:
        """Answers a question about numbers; what cannot be told is 0."""
        match question:
            case Count():
                self._tell(Counted(question.ticket, self._count(question)))
            case Fit():
                self._tell(self._fitting.fit(question))
            case Status():
                self._tell(_memory(self._opened))
            case _:
                assert_never(question)

    def _count(self, question: Count) -> int:
        if self._opened is None or not question.conversation:
            return 0
        try:
            return self._opened.count(question.conversation)
        except PromptError:  # a conversation that the template refuses; answering it will say why
            return 0


def _load(setup: Setup) -> Opened:
    from app.chat.engine.loading import open_model

    return open_model(setup)


def _memory(opened: Opened | None) -> Memory:
    import mlx.core as mx

    from qwen2_mlx.memory.limit import memory_limit

    limit = opened.info.limit if opened else memory_limit()
    return Memory(mx.get_active_memory(), mx.get_peak_memory(), limit)


def _leave_mlx() -> None:
    """Ends MLX on this thread; without it the interpreter often aborts when it exits."""
    if mx := sys.modules.get("mlx.core"):  # not worth importing only to leave it
        mx.synchronize()
        mx.clear_streams()
