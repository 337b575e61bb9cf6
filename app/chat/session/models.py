"""The model of a session: which is open, which is wanted, and questions about numbers."""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from app.chat.engine.messages import (
    Count,
    Counted,
    Died,
    Failed,
    Fit,
    Fitted,
    Load,
    Loaded,
    Memory,
    Status,
    Unload,
    Unloaded,
)
from app.chat.options import Setup
from app.chat.session.changes import ModelChanged, Notice, Progress, StatsChanged
from app.chat.session.state import State

#: What a prompt without a word costs is asked for under this name.
EMPTY = ""


class Models:
    """Loads, unloads and asks. Every load is answered in order, by Loaded or by Failed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._loads: deque[Setup] = deque()
        self._tickets = itertools.count(1)
        self._counts: dict[int, Callable[[int], None]] = {}
        self._fits: dict[int, Callable[[Fitted], None]] = {}
        self._template_tokens: int | None = None

    def load(self, setup: Setup) -> None:
        """Opens a model in place of the open one, for this chat and those that begin later."""
        self._state.options = replace(self._state.options, setup=setup)
        self._post(setup)

    def need(self, setup: Setup) -> bool:
        """Sees to it that what is asked next runs on `setup`; False when that has to be waited for."""
        state = self._state
        wanted = self._loads[-1] if self._loads else state.model and state.model.setup
        if wanted != setup:
            self._post(setup)
        return not self._loads

    def unload(self) -> None:
        """Frees the model; the next question loads it again."""
        self._state.engine.post(Unload())

    def count(self, text: str, reply: Callable[[int], None]) -> None:
        """Tells how many tokens a text adds to a prompt. Without a model nobody is called."""
        if self._state.model is None:
            return
        if self._template_tokens is None:
            self._ask_count(EMPTY, self._learn_template)
        self._ask_count(text, lambda tokens: reply(max(0, tokens - (self._template_tokens or 0))))

    def fit(self, setup: Setup, context: int, reply: Callable[[Fitted], None]) -> None:
        """Tells whether a setup fits into the memory with so many tokens."""
        ticket = next(self._tickets)
        self._fits[ticket] = reply
        self._state.engine.post(Fit(ticket, setup, context))

    def ask_memory(self) -> None:
        """Has `State.memory` brought up to date."""
        self._state.engine.post(Status())

    def handle(self, event: Loaded | Unloaded | Failed | Died | Counted | Fitted | Memory) -> None:
        """Takes what the engine says about models; a Failed here is one of loading."""
        state = self._state
        match event:
            case Loaded(info):
                self._answered()
                state.model = info
                self._template_tokens = None
                self.ask_memory()
                state.tell(ModelChanged())
            case Unloaded():
                self._forget()
                self.ask_memory()
            case Failed(message=message):
                self._answered()
                self._forget()
                state.tell(Notice(message, "error"))
            case Died(message):
                self._loads.clear()
                state.loading = None
                self._forget()
                state.tell(Notice(message, "error"))
            case Counted(ticket, tokens):
                if reply := self._counts.pop(ticket, None):
                    reply(tokens)
            case Fitted(ticket):
                if answer := self._fits.pop(ticket, None):
                    answer(event)
            case Memory():
                state.memory = event
                state.tell(StatsChanged())

    def _post(self, setup: Setup) -> None:
        self._loads.append(setup)
        self._state.loading = setup
        self._state.engine.post(Load(setup))
        self._state.tell(ModelChanged())
        self._state.tell(Progress(f"loading {setup.name}"))

    def _answered(self) -> None:
        """The oldest load that was asked for is over."""
        if self._loads:
            self._loads.popleft()
        self._state.loading = self._loads[-1] if self._loads else None

    def _forget(self) -> None:
        """No model is open; what was asked of it may never be answered."""
        self._state.model = None
        self._counts.clear()
        self._state.tell(ModelChanged())

    def _ask_count(self, text: str, reply: Callable[[int], None]) -> None:
        ticket = next(self._tickets)
        self._counts[ticket] = reply
        self._state.engine.post(Count(ticket, (("user", text),)))

    def _learn_template(self, tokens: int) -> None:
        self._template_tokens = tokens
