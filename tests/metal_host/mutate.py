"""Kernels with one mistake each: a barrier that is missing, a bound that is off by one.

Tests that are worth something notice every one of them. Operators count as comparisons where blanks stand
around them, as a formatter leaves them; template brackets have none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .source import closing, line_of, strip_comments

_BARRIER = re.compile(r"(?:metal::)?\b(?:threadgroup|simdgroup)_barrier\s*\(")
_COMPARISON = re.compile(r"(?<=\s)(<=|>=|<|>)(?=\s)")
_MINIMUM = re.compile(r"(?:metal::)?\bmin\s*\(")

#: Each lets one more index through: `i < n`, `i <= last`, `if (i >= n) return`, `if (i > last) return`.
_SHIFTED = {"<": "<=", "<=": "<= 1 +", ">=": ">", ">": "> 1 +"}


@dataclass(frozen=True)
class Mutant:
    """`source` with one mistake, which `description` tells; `line` is where, as `#line` directives count."""

    description: str
    line: int
    source: str


def without_barriers(source: str, start: int = 0, end: int | None = None) -> Iterator[Mutant]:
    """One mutant for each barrier between `start` and `end`: `source` without that barrier.

    Comments are taken out of `source` if positions do not depend on them, that is without `end`.
    """
    source = source if end else strip_comments(source)
    for match in _BARRIER.finditer(source, start, end or len(source)):
        last = closing(source, match.end() - 1)
        yield _mutant(source, match.start(), last + 1, "(void)0", "removed")


def with_loose_bounds(source: str, start: int = 0, end: int | None = None) -> Iterator[Mutant]:
    """One mutant for each comparison and `min` between `start` and `end`: it lets one more through."""
    source = source if end else strip_comments(source)
    for match in _COMPARISON.finditer(source, start, end or len(source)):
        shifted = _SHIFTED[match[1]]
        yield _mutant(source, match.start(), match.end(), shifted, f"-> {shifted}")
    for match in _MINIMUM.finditer(source, start, end or len(source)):
        last = closing(source, match.end() - 1) + 1
        call = source[match.start() : last]
        yield _mutant(source, match.start(), last, f"(1 + {call})", "+ 1")


def _mutant(source: str, start: int, end: int, replacement: str, what: str) -> Mutant:
    line = line_of(source, start)
    text = source[source.rfind("\n", 0, start) + 1 :].split("\n", 1)[0].strip()
    description = f"line {line}, `{text}`: `{source[start:end]}` {what}"
    return Mutant(description, line, source[:start] + replacement + source[end:])
