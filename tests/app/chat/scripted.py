"""A chat session and an engine that play a script instead of running a model."""

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import Any, assert_never

from app.chat.engine.interface import OnEvent
from app.chat.engine.messages import (
    Ask,
    Command,
    Count,
    Counted,
    Event,
    Failed,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
    Loading,
    Memory,
    ModelInfo,
    Reading,
    Reason,
    Stats,
    Status,
    Stop,
    Text,
    Told,
    Unload,
    Unloaded,
)
from app.chat.engine.outbox import Outbox
from app.chat.options import Setup
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.generate import GenerationEvent
from tests import checkpoints
from tests.app.chat.waiting import PATIENCE

Step = str | Exception | KeyboardInterrupt | Callable[[], object]

PROMPT_TOKENS = 40
REUSED_TOKENS = 5


def event(text: str, count: int, finish: str | None = None, peak_memory: int = 0) -> GenerationEvent:
    """One event of an answer, with numbers that tests can recognise."""
    return GenerationEvent(
        text=text,
        token=count,
        finish_reason=finish,
        prompt_tokens=PROMPT_TOKENS,
        reused_tokens=REUSED_TOKENS,
        generation_tokens=count,
        prompt_tps=800.0,
        generation_tps=63.0,
        time_to_first_token=0.05,
        peak_memory=peak_memory,
    )


class ScriptedSession:
    """Answers each question with the steps of `script`, then ends with `finish`.

    A string is a piece of the answer, an exception is raised, anything else is called, so
    that a test can look around or hold the answer up at that point. `prefill` steps are
    called between two reports on the prompt. Behaves like `ChatSession` when closed early.
    """

    def __init__(self, *script: Step, prefill: Callable[[], object] | None = None, finish: str = "stop"):
        self.script, self.prefill, self.finish = script, prefill, finish
        self.config = ModelConfig.from_dict(checkpoints.DENSE)
        self.messages: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.peak_memory = 1_230_000_000
        self.settings: dict[str, Any] = {}
        self.resume, self.context = False, None
        self.threads: list[threading.Thread] = [threading.current_thread()]

    def send(
        self, text: str, on_prefill: Callable[[int, int], None] | None = None, **settings: Any
    ) -> Generator[GenerationEvent]:
        self.messages.append({"role": "user", "content": text})
        before = len(self.messages)
        try:
            yield from self.answer(on_prefill=on_prefill, **settings)
        finally:
            if len(self.messages) == before:
                self.messages.pop()

    def answer(
        self,
        resume: bool = False,
        context: int | None = None,
        on_prompt: Callable[[int, int], None] | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **settings: Any,
    ) -> Generator[GenerationEvent]:
        self.settings, self.resume, self.context = settings, resume, context
        self.asked.append(self.messages[-1]["content"])
        self.threads.append(threading.current_thread())
        answer: list[str] = []
        try:
            if on_prompt:
                on_prompt(REUSED_TOKENS, REUSED_TOKENS + PROMPT_TOKENS)
            self._prefill(on_prefill)
            for step in self.script:
                if isinstance(step, str):
                    answer.append(step)
                    yield event(step, len(answer), peak_memory=self.peak_memory)
                elif isinstance(step, BaseException):
                    raise step
                else:
                    step()
            yield event("", len(answer) + 1, self.finish, self.peak_memory)
        finally:
            self.threads.append(threading.current_thread())
            if answer:
                self.messages.append({"role": "assistant", "content": "".join(answer)})

    def _prefill(self, report: Callable[[int, int], None] | None) -> None:
        if report is None:
            return
        report(PROMPT_TOKENS // 2, PROMPT_TOKENS)
        if self.prefill is not None:
            self.prefill()
        report(PROMPT_TOKENS, PROMPT_TOKENS)

    def clear(self) -> None:
        self.messages.clear()
        self.threads.append(threading.current_thread())


class Gate:
    """A step that holds the answer up until the test opens it."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE), "nobody opened the gate"

    @property
    def reached(self) -> bool:
        return self._reached.is_set()

    def wait(self) -> None:
        """Returns when the answer stands at the gate."""
        assert self._reached.wait(PATIENCE), "the answer never came to the gate"

    def open(self) -> None:
        self._opened.set()


#: One answer of a `ScriptedEngine`: its text in pieces, or events in which the turn is filled in.
Answer = str | Iterable[str | Event]


def model_info(setup: Setup = Setup()) -> ModelInfo:  # noqa: B008 - frozen
    """An open model with numbers that tests can recognise."""
    return ModelInfo(
        setup,
        fingerprint="f00d",
        rope_mode="dca",
        context_length=32768,
        trained_length=4096,
        proven_length=16384,
        weight_bytes=4_300_000_000,
        limit=27_000_000_000,
    )


class ScriptedEngine(Outbox):
    """An `Engine` without a thread: what a command brings about has happened when `post` returns.

    Each Generate or Ask takes the next of `answers`, plays all of it and is finished; one for which
    nothing is left stays unfinished until the test calls `say`, `emit` and `finish`, or it is stopped.
    An answer that ends in a Finished or Failed of its own ends so. Loads succeed unless `load_error`
    says why not. `tokens` is what every Count is answered with, None for a word a token; `fits` answers
    every Fit. With `silent` nothing is answered, and all events are the test's own.
    """

    def __init__(self, *answers: Answer, on_event: OnEvent | None = None, silent: bool = False) -> None:
        super().__init__(on_event)
        self.posted: list[Command] = []
        self.answers: list[Answer] = list(answers)
        self.running: list[int] = []  # turns that are not finished
        self.load_error: str | None = None
        self.info: ModelInfo = model_info()
        self.loaded: ModelInfo | None = None
        self.tokens: int | None = None
        self.fits = Fitted(0, True, "weights 4.3 + KV 7.0 at 128K + work 0.6 of 27.0 GB safe", 131072)
        self.memory = Memory(active=5_000_000_000, peak=6_000_000_000, limit=27_000_000_000)
        self.silent = silent
        self.closed = False

    def close(self, timeout: float) -> bool:
        self.closed = True
        return True

    def post(self, command: Command) -> None:
        self.posted.append(command)
        if not self.silent:
            self._answer(command)

    def of(self, kind: type[Command]) -> list[Any]:
        """The commands of one kind that were posted."""
        return [command for command in self.posted if isinstance(command, kind)]

    def emit(self, *events: Event) -> None:
        """Reports events as they are."""
        for event in events:
            self.tell(event)

    def say(self, *pieces: str) -> None:
        """Adds pieces of text to the turn that runs."""
        self._play(self.running[-1], pieces)

    def finish(self, reason: Reason = "stop") -> None:
        """Ends the turn that runs, with its statistics."""
        turn = self.running[-1]
        self._end(turn, self._stats(turn), Finished(turn, reason))

    def fail(self, message: str) -> None:
        """Ends the turn that runs with an error."""
        turn = self.running[-1]
        self._end(turn, Failed(turn, message))

    def _answer(self, command: Command) -> None:
        match command:
            case Load(setup):
                self._load(setup)
            case Unload():
                self.loaded = None
                self.emit(Unloaded())
            case Generate(turn) | Ask(turn):
                self.running.append(turn)
                if self.answers:
                    self._play(turn, self.answers.pop(0))
                    if turn in self.running:
                        self.finish()
            case Stop(turn):
                for running in [running for running in self.running if running <= turn]:
                    self._end(running, Finished(running, "stopped"))
            case Count(ticket, conversation):
                words = sum(len(text.split()) for _, text in conversation)
                self.emit(Counted(ticket, words if self.tokens is None else self.tokens))
            case Fit(ticket):
                self.emit(replace(self.fits, ticket=ticket))
            case Status():
                self.emit(self.memory)
            case _:
                assert_never(command)

    def _load(self, setup: Setup) -> None:
        self.loaded = None
        self.emit(Loading(setup))
        if self.load_error is not None:
            self.emit(Failed(None, self.load_error))
            return
        self.loaded = replace(self.info, setup=setup)
        self.emit(Loaded(self.loaded))

    def _play(self, turn: int, answer: Answer) -> None:
        for part in [answer] if isinstance(answer, str) else answer:
            if isinstance(part, str):
                self.emit(Text(turn, part))
            elif isinstance(part, Finished | Failed):
                self._end(turn, replace(part, turn=turn))
            elif isinstance(part, Reading | Text | Stats | Told):
                self.emit(replace(part, turn=turn))
            else:
                self.emit(part)

    def _end(self, turn: int, *events: Event) -> None:
        self.running.remove(turn)
        self.emit(*events)

    @staticmethod
    def _stats(turn: int) -> Stats:
        return Stats(
            turn,
            prompt_tokens=PROMPT_TOKENS,
            reused_tokens=REUSED_TOKENS,
            output_tokens=12,
            context_tokens=PROMPT_TOKENS + REUSED_TOKENS + 12,
            prompt_tps=800.0,
            output_tps=63.0,
            time_to_first_token=0.05,
            peak_memory=1_230_000_000,
        )
