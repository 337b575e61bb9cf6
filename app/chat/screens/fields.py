"""The settings of a chat as text that people type: how each is read, written and judged.

The limits are those of the flags of `qwen2-chat`. An empty text means that nothing is set, so that the
model's own value holds.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from app import cli, long_context
from app.ask.answer import Mode
from qwen2_mlx.config import ROPE_MODES

_TOKENS = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([km]?)", re.IGNORECASE)
_TIME = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?")

MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class Field:
    """One value of one line. `parse` raises ArgumentTypeError; `text` writes what `parse` reads.

    `empty` says what holds where nothing is typed.
    """

    name: str
    label: str
    parse: Callable[[str], Any]
    help: str
    text: Callable[[Any], str] = str
    empty: str = "the model's"


@dataclass(frozen=True)
class Selection:
    """One of a few values, the first of which is the usual one."""

    name: str
    label: str
    values: Sequence[str]


def context_tokens(text: str) -> int:
    """Tokens of a text such as 32768, 32K or 1M."""
    match = _TOKENS.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"must be a number of tokens such as 32K, not {text!r}")
    count = int(float(match[1]) * {"": 1, "k": 1024, "m": 1024**2}[match[2].lower()])
    if not 1 <= count <= MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_TOKENS:,} tokens, not {text}")
    return count


def context_text(count: int) -> str:
    """The shortest text that `context_tokens` reads as so many."""
    for unit, size in (("M", 1024**2), ("K", 1024)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def seconds(text: str) -> float:
    """Seconds of a text such as 90, 90s, 5m or 1h30m."""
    match = _TIME.fullmatch(text.strip())
    hours, minutes, rest = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600.0 * hours + 60.0 * minutes + rest
    if not total:
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 5m or 1h, not {text!r}")
    return total


def seconds_text(count: float) -> str:
    """A time as `seconds` reads it."""
    minutes, rest = divmod(round(count), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def memory_text(count: int) -> str:
    """Bytes as `long_context.size` reads them, exactly."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}B"


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_MEANING = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def stop_strings(text: str) -> list[str]:
    r"""The stop strings of a text with one in each line; \n, \t and \\ stand for themselves."""

    def meant(match: re.Match[str]) -> str:
        if match[1] not in _MEANING:
            raise argparse.ArgumentTypeError(f"{match[0]!r} means nothing; write \\n, \\t or \\\\")
        return _MEANING[match[1]]

    return [cli.stop_string(_ESCAPED.sub(meant, part)) for part in text.split("\n") if part]


def stop_text(stops: Sequence[str]) -> str:
    """What `stop_strings` reads."""
    return "\n".join("".join(_ESCAPES.get(sign, sign) for sign in stop) for stop in stops)


SAMPLING: tuple[Field, ...] = (
    Field("temperature", "temperature", cli.non_negative_float, "0 takes the likeliest"),
    Field("top_p", "top p", cli.unit_above_zero, "above 0, at most 1"),
    Field("top_k", "top k", cli.non_negative_int, "0 is all"),
    Field("min_p", "min p", cli.unit_below_one, "0 to below 1"),
    Field("repetition_penalty", "repetition", cli.positive_float, "1 is none"),
    Field("max_tokens", "longest answer", cli.positive_int, "tokens"),
    Field("seed", "seed", cli.seed, "repeats an answer"),
)
CONTEXT = Field("context", "context", context_tokens, "such as 32K", context_text, "all it handles")
MAX_TIME = Field("max_time", "longest search", seconds, "such as 5m", seconds_text, "the usual")
MEMORY = Field("memory_limit", "memory", long_context.size, "such as 32GB", memory_text, "this machine's")

ROPE = Selection("rope", "positions", ROPE_MODES)
KV_BITS = Selection("kv_bits", "cache bits", long_context.KV_BITS)
MODE = Selection("mode", "documents", get_args(Mode))
