"""Text of people and documents as parts of one line on a terminal."""

import unicodedata

from app.cli import clean


def one_line(text: str) -> str:
    """The text without control characters, its runs of white space single spaces."""
    return " ".join(clean(text.replace("\t", " ")).split())


def shorten(text: str, columns: int) -> str:
    """`text` on one line of at most so many columns; what is cut is an ellipsis."""
    line = one_line(text)
    if _columns(line) <= columns:
        return line
    kept, used = [], 1  # the ellipsis
    for letter in line:
        used += _columns(letter)
        if used > columns:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def _columns(text: str) -> int:
    """How wide a terminal shows it: Chinese characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
