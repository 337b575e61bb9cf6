"""One question to the agent: what happens is shown, Ctrl-C gives the best answer so far."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from app import cli
from app.ask.answer import Answer
from app.ask.events import Event, Final, Read
from app.ask.not_found import says_not_found
from app.ask.progress import Watcher
from app.ask.stop import Stop

if TYPE_CHECKING:
    from app.ask.agent import Options
    from app.ask.library import File

FOUND, NOT_FOUND, UNVERIFIED, LIMIT = 0, 3, 4, 5

#: A standalone question and its answer, which a follow-up leans on.
Previous = tuple[str, str]


class Agent(Protocol):
    """The part of `app.ask.agent.Agent` that is used here; tests script their own."""

    def prepare(self, files: "Sequence[File]") -> Iterator[Event]: ...

    def ask(
        self, question: str, files: "Sequence[File]", previous: Previous | None = None
    ) -> Iterator[Event]: ...


class Engine(Protocol):
    """Loaded models, of which an agent is made for each question."""

    @property
    def model(self) -> str: ...

    @property
    def scout(self) -> str: ...

    def agent(
        self, options: "Options", stopped: Callable[[], bool], on_event: Callable[[Event], None]
    ) -> Agent:
        """`on_event` is given at once what cannot wait for its turn among the events."""
        ...


@dataclass
class Asked:
    """An answer with the windows that were scored for it, and whether Ctrl-C ended the search."""

    answer: Answer
    seconds: float
    stopped: bool
    reads: list[Read] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        match self.answer.status:
            case "found":
                return FOUND
            case "not_found":
                return NOT_FOUND
            case "unverified":
                return UNVERIFIED
            case _:
                return cli.INTERRUPTED if self.stopped and self._empty else LIMIT

    @property
    def _empty(self) -> bool:
        nothing = not self.answer.sentences or says_not_found(self.answer.text)
        return nothing and not self.answer.citations


def ask(
    engine: Engine,
    options: "Options",
    question: str,
    files: "Sequence[File]",
    previous: Previous | None,
    watcher: Watcher,
) -> Asked:
    """Asks and waits for the last event.

    Leaves by KeyboardInterrupt at Ctrl-C while documents are indexed, and at a second one later.
    """
    started = time.monotonic()
    reads: list[Read] = []
    answer = None
    stop = Stop(quiet=not watcher.plain)
    agent = engine.agent(options, stop, watcher.happened)
    try:
        for event in agent.prepare(files):
            watcher.happened(event)
        watcher.stoppable = True
        with stop:
            for event in agent.ask(question, files, previous):
                watcher.happened(event)
                if isinstance(event, Read):
                    reads.append(event)
                elif isinstance(event, Final):
                    answer = event.answer
    finally:
        watcher.stoppable = False
        watcher.close()
    if stop.quit:  # the agent ends with what it has at any interrupt
        raise KeyboardInterrupt
    assert answer is not None
    return Asked(answer, time.monotonic() - started, stop(), reads)
