"""Generate: an answer from the model alone, reported as it comes."""

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from app.chat.engine.messages import Generate, Reading, Reason, Stats, Text
from app.chat.engine.opened import Opened, as_messages
from app.chat.engine.turn import Turn
from app.long_context import past_proven

if TYPE_CHECKING:
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.generate import GenerationEvent

#: Seconds between two statistics of a turn.
STATS_EVERY = 0.1


def generate(opened: Opened, command: Generate, turn: Turn) -> Reason:
    """Answers until the answer ends, and returns why it did.

    Leaves by `Interrupted` when stopped: what was read and written stays in the session's cache.
    """
    session = opened.session
    session.messages[:] = as_messages(command.conversation)
    prefill, statistics = _Prefill(turn, session.config), _Statistics(turn)
    settings: dict[str, Any] = dict(command.sampling)
    reason: Reason = "stop"
    answer = session.answer(
        resume=command.resume,
        context=command.context,
        on_prompt=prefill.begin,
        on_prefill=prefill.advance,
        **settings,
    )
    try:
        with closing(answer) as events:
            for event in events:
                if event.text:
                    turn.tell(Text(turn.number, event.text))
                statistics.add(event)
                if event.finish_reason is None:
                    turn.check()
                else:
                    reason = "length" if event.finish_reason == "length" else "stop"
    finally:
        statistics.finish()
    return reason


class _Prefill:
    """Reports how far a prompt has been read."""

    def __init__(self, turn: Turn, config: "ModelConfig") -> None:
        self._turn, self._config = turn, config
        self._reused = self._total = 0
        self._started = time.monotonic()

    def begin(self, reused: int, total: int) -> None:
        """`reused` of `total` tokens are in the cache; the rest will be read now."""
        self._turn.check()
        self._reused, self._total, self._started = reused, total, time.monotonic()
        # Not again for what follows a text that is too long already.
        notice = past_proven(self._config, total) if reused <= self._config.proven_length else None
        self._turn.tell(Reading(self._turn.number, reused, total, reused, notice=notice or ""))

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` tokens that were not in the cache are read; the last one is not among them."""
        spent = time.monotonic() - self._started
        left = spent * (total - done) / done if done else None
        at = self._total if done == total else self._reused + done
        self._turn.tell(Reading(self._turn.number, at, self._total, self._reused, left))
        self._turn.check()


class _Statistics:
    """Reports where a turn stands, now and then and in the end."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._last: GenerationEvent | None = None
        self._due = 0.0

    def add(self, event: "GenerationEvent") -> None:
        self._last = event
        if (now := time.monotonic()) >= self._due:
            self._due = now + STATS_EVERY
            self._tell(event)

    def finish(self) -> None:
        """The last word, if a token was generated at all."""
        if self._last is not None:
            self._tell(self._last)

    def _tell(self, event: "GenerationEvent") -> None:
        self._turn.tell(
            Stats(
                self._turn.number,
                prompt_tokens=event.prompt_tokens,
                reused_tokens=event.reused_tokens,
                output_tokens=event.generation_tokens,
                context_tokens=event.reused_tokens + event.prompt_tokens + event.generation_tokens,
                prompt_tps=event.prompt_tps,
                output_tps=event.generation_tps,
                time_to_first_token=event.time_to_first_token,
                peak_memory=event.peak_memory,
            )
        )
