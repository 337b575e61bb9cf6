"""How far a run is, and how long it will still take.

Attention costs grow with the square of a prompt's length and everything else with the length
itself, so prompts are weighed by both. On top comes a constant a prompt, above all for the
tokens of the answer. The time of a unit of cost and the constant are fitted to the prompts
that this run has finished.
"""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from qwen2_mlx.config import ModelConfig

#: Seconds between two lines where nobody looks at a terminal.
_LINE_EVERY = 30.0


def prompt_cost(config: ModelConfig, tokens: int) -> float:
    """The work of processing a prompt, in tokens of a prompt too short for attention to matter.

    A token costs one product a weight it meets, and two a channel and head for every token it
    attends to, which is half of the prompt on average.
    """
    attention = config.num_hidden_layers * config.num_attention_heads * config.head_dim
    return tokens * (1 + tokens * attention / _weights(config))


def _weights(config: ModelConfig) -> int:
    """The weights of all layers that one token meets."""
    heads = 2 * (config.num_attention_heads + config.num_key_value_heads)
    mlp = config.intermediate_size
    if config.moe:
        experts = config.moe.num_experts_per_tok * config.moe.moe_intermediate_size
        mlp = experts + config.moe.shared_expert_intermediate_size
    return config.num_hidden_layers * config.hidden_size * (heads * config.head_dim + 3 * mlp)


class Timing:
    """Seconds as a function of cost: a x cost + b, fitted by least squares to what was seen."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []

    def add(self, cost: float, seconds: float) -> None:
        self._seen.append((cost, seconds))

    def predict(self, cost: float, prompts: int = 1) -> float | None:
        """Seconds for `prompts` of `cost` in all; None before anything was seen."""
        if not self._seen:
            return None
        rate, constant = self._fit()
        return rate * cost + constant * prompts

    def _fit(self) -> tuple[float, float]:
        count = len(self._seen)
        cost, seconds = (sum(column) / count for column in zip(*self._seen, strict=True))
        spread = sum((c - cost) ** 2 for c, _ in self._seen)
        slope = sum((c - cost) * (s - seconds) for c, s in self._seen) / spread if spread else 0.0
        constant = seconds - slope * cost
        if slope <= 0 or constant < 0:  # too few or too similar: all of it grows with the cost
            return seconds / cost, 0.0
        return slope, constant


class Progress:
    """One line about a run: rewritten on a terminal, elsewhere a new one now and then."""

    def __init__(
        self,
        program: str,
        costs: list[float],
        skipped: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`costs` are those of the prompts still to do; `skipped` were finished by an earlier run."""
        self._program, self._stream, self._clock = program, stream or sys.stderr, clock
        self._left, self._prompts = sum(costs), len(costs)
        self.total = len(costs) + skipped
        self._timing, self._started, self._printed = Timing(), clock(), -_LINE_EVERY
        self._what, self._cost = "", 0.0

    @property
    def done(self) -> int:
        """Prompts finished, those of earlier runs included."""
        return self.total - self._prompts

    def start(self, what: str, cost: float) -> None:
        """A prompt begins; `what` names it."""
        self._what, self._cost, self._started = what, cost, self._clock()
        self._show(0.0)

    def part(self, share: float) -> None:
        """So much of the prompt is done, 0 to 1 of its cost."""
        self._show(share)

    def finish(self) -> None:
        """The prompt is done."""
        self._timing.add(self._cost, self._clock() - self._started)
        self._left -= self._cost
        self._prompts -= 1

    def close(self) -> None:
        """Leaves the terminal's line free."""
        if self._stream.isatty():
            print("\r\x1b[K", end="", file=self._stream, flush=True)

    def seconds_left(self, share: float = 0.0) -> float | None:
        """Seconds until all is done, `share` of the current prompt being behind; None while unknown."""
        seconds = self._timing.predict(self._left - share * self._cost, self._prompts)
        if seconds is None and share > 0:  # the first prompt tells by itself, once it is under way
            spent = self._clock() - self._started
            return spent / (share * self._cost) * (self._left - share * self._cost)
        return seconds

    def _show(self, share: float) -> None:
        terminal, now = self._stream.isatty(), self._clock()
        if not terminal and now - self._printed < _LINE_EVERY:
            return
        self._printed = now
        seconds = self.seconds_left(share)
        left = "" if seconds is None else f", {duration(seconds)} left"
        read = f", {int(100 * share)}% read" if share else ""
        line = f"{self._program}: {self.done:,} of {self.total:,} done{left} | {self._what}{read}"
        if terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]}\x1b[K", end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Seconds as 0:42, 12:05 or 3:07:00."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
