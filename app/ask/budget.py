"""What a question may take and what it will take: time, tokens and disk."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from app.ask.answer import Mode
from app.ask.levels.material import Material
from app.ask.roles.protocol import Sizes
from app.ask.speeds import Speeds
from qwen2_mlx.errors import Qwen2Error

#: Bytes of the library for a character of plain English: the text itself, its chunks and their index.
_BYTES_A_CHARACTER = 3

#: Bytes for the score or the notes of a window.
_BYTES_A_WINDOW = 200

#: Facts of a chain that estimates assume.
_HOPS = 3


@dataclass(frozen=True)
class Estimate:
    """What a question would take. `mode` is the level that begins, `tokens` those of the documents.

    `seconds` are for that level and `longest` for reading everything after it, None where the models
    have not been measured on this machine. `disk` is what the documents and the scores of their
    `windows` take in the library, in bytes; what models keep of texts is not part of it.
    """

    tokens: int
    windows: int
    mode: Mode
    seconds: float | None
    longest: float | None
    disk: int


def window_tokens(sizes: Sizes, asked: int | None) -> int:
    """Tokens of a window as `asked`, or as suits the model. Raises `Qwen2Error` where it is too small."""
    if asked is not None and asked < sizes.chunk:
        raise Qwen2Error(f"a window of {asked} tokens holds no passage; give --window {sizes.chunk} or more")
    return asked or sizes.window


def estimate(
    material: Material, sizes: Sizes, mode: Mode, speeds: Speeds, evidence: int | None = None
) -> Estimate:
    """What a question about `material` would take. No model is needed.

    `evidence` is in tokens, None for that of `sizes`.
    """
    tokens, evidence = material.tokens, evidence or sizes.evidence
    in_windows = sum(one.tokens for one in material.windows)
    if mode == "auto":
        mode = "whole" if tokens <= (sizes.whole if len(material.runs) == 1 else evidence) else "retrieve"
    answer, reading = speeds.answering(evidence), speeds.reading(in_windows)
    seconds = {
        "whole": speeds.answering(tokens),
        "retrieve": answer,
        "read": _sum(reading, answer),
        "reason": None if answer is None else (_HOPS + 1) * answer,
        "digest": _sum(speeds.noting(in_windows), answer),
    }[mode]
    longest = seconds if mode in ("whole", "read", "digest") else _sum(seconds, reading, answer)
    characters, count = sum(file.characters for file in material.files), len(material.windows)
    disk = characters * _BYTES_A_CHARACTER + count * _BYTES_A_WINDOW
    return Estimate(tokens, count, mode, seconds, longest, disk)


def _sum(*seconds: float | None) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) if len(known) == len(seconds) else None


class Clock:
    """Time since a question was asked, by stage, and what is left of the limit.

    `limit` is in seconds, None for none. With a limit of 0 nothing slower is begun.
    """

    def __init__(self, limit: float | None, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = inf if limit is None else limit
        self.now = now
        self.seconds: dict[str, float] = defaultdict(float)
        self._begun = now()

    @property
    def left(self) -> float:
        """Seconds, infinite without a limit, negative after it."""
        return self.limit - (self.now() - self._begun)

    def over(self, reserve: float = 0.0) -> bool:
        """Whether less than `reserve` seconds are left."""
        return self.left <= reserve

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time within as that of stage `name`; stages do not nest."""
        begun = self.now()
        try:
            yield
        finally:
            self.seconds[name] += self.now() - begun
