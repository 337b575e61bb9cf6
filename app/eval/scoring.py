"""Scores of answers, 0 to 100."""

import re
from collections.abc import Callable, Sequence

Score = Callable[[str], float]


def phrases_found(phrases: Sequence[str]) -> Score:
    """The share of `phrases` that an answer contains, whatever the case."""
    wanted = [phrase.casefold() for phrase in phrases]

    def score(answer: str) -> float:
        said = answer.casefold()
        return 100.0 * sum(phrase in said for phrase in wanted) / len(wanted)

    return score


def exact_number(digits: str) -> Score:
    """100 where an answer contains this very number, not as a part of a longer one."""
    number = re.compile(rf"(?<!\d){digits}(?!\d)")
    return lambda answer: 100.0 if number.search(answer) else 0.0
