"""From the lines of a page to flowing text: paragraphs on one line each, hyphenated words whole.

The line breaks of a page say where the column ended, not where a thought did. A break is undone when
the next word would not have fitted on the line; every other break is kept.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from app.ask.documents.pdf_layout import CELLS_APART, Line

_SPACING = 1.3  # times the usual distance of lines: a new paragraph
_UNKNOWN = float("inf")
_SIZE = 1.15  # times the size of the line before: a heading, or the text after it
_INDENT = 0.6  # sizes of type: a new paragraph
_TOLERANCE = 0.3  # sizes of type by which a line may miss the edge of its column

_COMPOUND = re.compile(r"\b\w+[-\u2010]\w+\b")
_LAST_PART = re.compile(r"\w{1,64}[-\u2010\u00ad]$")
_LONGEST_PART = 65  # characters at the end of a line that are looked at for the first part of a word
_FIRST_PART = re.compile(r"\w+")
_BULLET = re.compile(r"[•◦▪▸‣●○■*–-] ")
_FULL_STOP = re.compile(r"""[.!?:;。！？：；]["'”’»)\]]*$""")
_NO_SPACES = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]")

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\xa0": " "}
)


def plain_letters(text: str) -> str:
    """`text` with ligatures as the letters they stand for."""
    return text if text.isascii() else text.translate(_LIGATURES)


class Flow:
    """Joins lines, page after page of one document.

    It remembers the hyphenated words that it saw in the middle of lines, to tell "well-/known" from
    "no-/tice".
    """

    def __init__(self) -> None:
        self._compounds: set[str] = set()

    def text(self, lines: Sequence[Line]) -> tuple[str, list[int]]:
        """The text of a page, and where in it each of the lines begins."""
        for line in lines:
            if "-" in line.text or "\u2010" in line.text:
                self._compounds.update(match.lower() for match in _COMPOUND.findall(line.text))
        pitches = _pitches(lines)
        parts: list[str] = []
        starts: list[int] = []
        length = 0
        for index, line in enumerate(lines):
            if index:
                after = lines[index + 1] if index + 1 < len(lines) else None
                dropped, between = self._join(lines[index - 1], line, after, pitches)
                if dropped:
                    parts[-1] = parts[-1][:-dropped]
                parts.append(between)
                length += len(between) - dropped
            starts.append(length)
            parts.append(line.text)
            length += len(line.text)
        return "".join(parts), starts

    def _join(
        self, line: Line, below: Line, after: Line | None, pitches: Mapping[int, float]
    ) -> tuple[int, str]:
        """How many characters of `line` to drop, and what to put between it and the line `below`."""
        sizes = sorted((line.size, below.size))
        pitch = pitches.get(_size_class(below), _UNKNOWN)
        if sizes[1] > _SIZE * sizes[0] or below.middle - line.middle > _SPACING * pitch:
            return 0, "\n\n"
        if (
            _BULLET.match(below.text)
            or CELLS_APART in line.text
            or CELLS_APART in below.text
            or not _is_full(line, below)
        ):
            return 0, "\n"
        if _is_indented(line, below, after):
            return 0, "\n\n"
        return self._between(line.text, below.text)

    def _between(self, before: str, after: str) -> tuple[int, str]:
        """The same for two parts of one paragraph."""
        first, last = _FIRST_PART.match(after), _last_part(before)
        if first is None or last is None:
            spaceless = _NO_SPACES.match(before[-1:]) and _NO_SPACES.match(after[:1])
            return 0, "" if spaceless else " "
        compound = f"{last[0]}{first[0]}".lower()
        if before[-1] != "\u00ad" and (not first[0][0].islower() or compound in self._compounds):
            return 0, ""
        return 1, ""


def _pitches(lines: Sequence[Line]) -> dict[int, float]:
    """The usual distance of a line from the one above, for each size of type: notes are set closer."""
    steps: dict[int, list[float]] = {}
    for line, below in pairwise(lines):
        if _size_class(line) == _size_class(below) and below.middle > line.middle:
            steps.setdefault(_size_class(below), []).append(below.middle - line.middle)
    return {size: median(found) for size, found in steps.items()}


def _size_class(line: Line) -> int:
    return round(line.size)


def _last_part(text: str) -> re.Match[str] | None:
    """The part of a word that `text` ends in, with its hyphen."""
    return _LAST_PART.search(text[-_LONGEST_PART:])


def _is_full(line: Line, below: Line) -> bool:
    """Whether the first word below would not have fitted on the line, or is only the rest of one."""
    if _last_part(line.text):
        return True
    first = below.text.split(" ", 1)[0]
    letter = (below.right - below.left) / max(1, len(below.text))
    return line.right + (len(first) + 1) * letter > line.edge - _TOLERANCE * line.size


def _is_indented(line: Line, below: Line, after: Line | None) -> bool:
    """Whether the line below begins a paragraph: alone set in from the left, after a full stop."""
    indent = _INDENT * below.size
    alone = after is None or after.top < below.top or below.left - after.left > indent
    same_column = below.top > line.top
    return alone and same_column and below.left - line.left > indent and bool(_FULL_STOP.search(line.text))
