"""The lengths and depths of a grid: how people write them, and the presets."""

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.cli import positive_int
from qwen2_mlx.config import ModelConfig

#: Names of the presets; `agent` goes beyond what any mode is meant for.
GRIDS = ("quick", "standard", "agent")

#: Where no longer text was shown to work, a grid still ends here, in trained lengths: 128K for Qwen2.
_FARTHEST = 4

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([kKmMtT]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "t": 1}

#: Longer texts than any model of the family was given.
_LONGEST = 16 * 1024**2
_MOST_TRAINED_LENGTHS = 512


@dataclass(frozen=True)
class Length:
    """A length as it was written: `number` tokens, or so many trained lengths."""

    number: float
    in_trained_lengths: bool = False

    def tokens(self, trained_length: int) -> int:
        """The length in tokens, for a model trained at `trained_length`."""
        return int(self.number * trained_length) if self.in_trained_lengths else int(self.number)


def length(text: str) -> Length:
    """An argparse type: 3072, 8k (8192), 1m (1048576), or 4T, four times the trained length."""
    match = _LENGTH.fullmatch(text.strip())
    unit = match[2].lower() if match else ""
    number = float(match[1]) * _UNITS[unit] if match else 0.0
    if not 0 < number <= (_LONGEST if unit != "t" else _MOST_TRAINED_LENGTHS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no length; write 3072, 8k, 1m, or 4T for 4 trained lengths"
        )
    return Length(number, in_trained_lengths=unit == "t")


def lengths(text: str) -> list[Length]:
    """An argparse type: lengths with commas between them."""
    return [length(part) for part in text.split(",")]


def depths(text: str) -> list[float]:
    """An argparse type: percentages from the start of the document, with commas between them."""
    return sorted({_depth(part) for part in text.split(",")})


def _depth(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no depth; write percentages such as 0,50,100")
    return number


def fact_counts(text: str) -> list[int]:
    """An argparse type: whole numbers with commas between them."""
    return sorted({positive_int(part) for part in text.split(",")})


def default_lengths(grid: str, configs: Sequence[ModelConfig]) -> list[int]:
    """The lengths of a preset, for the modes that `configs` stand for.

    They end at the longest text that one of the modes was shown to handle, at least four trained
    lengths where a mode is meant for so many. `quick` halves that three times; `standard` has 16
    equal steps, for 128K the grid of the Qwen2 report; `agent` adds two, four and eight times that.
    """
    longest = max(min(c.context_length, max(c.proven_length, _FARTHEST * c.trained_length)) for c in configs)
    if grid == "quick":
        return sorted({max(1, longest // part) for part in (8, 4, 2, 1)})
    steps = sorted({max(1, longest * step // 16) for step in range(1, 17)})
    return steps if grid == "standard" else [*steps, *(longest * times for times in (2, 4, 8))]


def default_depths(grid: str) -> list[float]:
    """The depths of a preset, in percent."""
    return [step * (25.0 if grid == "quick" else 10.0) for step in range(5 if grid == "quick" else 11)]


def length_labels(lengths: Sequence[int]) -> list[str]:
    """Lengths as people read them: 8K, 1M where all of them are whole thousands, else 1,536."""
    if any(tokens % 1024 for tokens in lengths):
        return [f"{tokens:,}" for tokens in lengths]
    return [f"{tokens // 1024**2}M" if tokens % 1024**2 == 0 else f"{tokens // 1024}K" for tokens in lengths]
