"""An engine that streams prepared tokens at a fixed rate instead of running a model."""

import threading
import time
from collections.abc import Iterable
from itertools import count, islice

from app.chat.engine.interface import OnEvent
from app.chat.engine.messages import (
    Ask,
    Command,
    Count,
    Counted,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
    Loading,
    Memory,
    ModelInfo,
    Reason,
    Stats,
    Status,
    Stop,
    Text,
    Unload,
    Unloaded,
)
from app.chat.engine.outbox import Outbox

#: Tokens that go together before the rate begins; so an answer is long without waiting for it.
BURST = 50


class StreamingEngine(Outbox):
    """Answers every question with `tokens`, each taken when it is due.

    The first `ahead` of them come at once, the others at `rate` a second.
    """

    def __init__(
        self, tokens: Iterable[str], rate: float, ahead: int = 0, on_event: OnEvent | None = None
    ) -> None:
        super().__init__(on_event)
        self._tokens, self._rate, self._ahead = tokens, rate, ahead
        self._stopped = -1
        self._threads: list[threading.Thread] = []

    def post(self, command: Command) -> None:
        match command:
            case Load(setup):
                self.tell(Loading(setup))
                self.tell(Loaded(ModelInfo(setup, "0", "plain", 32768, 32768, 32768, 10**9, 10**10)))
            case Unload():
                self.tell(Unloaded())
            case Generate(turn) | Ask(turn):
                thread = threading.Thread(target=self._stream, args=(turn,), daemon=True)
                self._threads.append(thread)
                thread.start()
            case Stop(turn):
                self._stopped = max(self._stopped, turn)
            case Count(ticket, conversation):
                self.tell(Counted(ticket, sum(len(text) for _, text in conversation) // 4))
            case Fit(ticket):
                self.tell(Fitted(ticket, True, "weights 4.3 + KV 1.9 + work 0.6 of 27.0 GB", 131072))
            case Status():
                self.tell(Memory(10**9, 10**9, 10**10))

    def close(self, timeout: float) -> bool:
        self._stopped = 2**63
        for thread in self._threads:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def _stream(self, turn: int) -> None:
        tokens = iter(self._tokens)
        for _ in range(0, self._ahead, BURST):
            self.tell(Text(turn, "".join(islice(tokens, BURST))))
        began = time.perf_counter()
        reason: Reason = "stop"
        for number in count(1):
            time.sleep(max(0.0, began + number / self._rate - time.perf_counter()))
            if turn <= self._stopped:
                reason = "stopped"
                break
            if (token := next(tokens, None)) is None:
                break
            self.tell(Text(turn, token))
            if number % 100 == 0:
                context = 10 + self._ahead + number
                self.tell(Stats(turn, 10, 0, context - 10, context, 500.0, self._rate, 0.1, 10**9))
        self.tell(Finished(turn, reason))
