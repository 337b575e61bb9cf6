"""Breaking styled text into lines by the cells it takes on a terminal.

Widths are rich's, which Textual draws by: two cells for CJK and most emoji, none for combining
marks, a joined emoji sequence as one. Text stays in logical order; a terminal that knows
right-to-left scripts turns them itself.
"""

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style

#: A piece of text in one style.
Run = tuple[str, Style]

#: Cells between two tab stops.
TAB = 4

# Between two of these a line may end without a space: ideographs, kana and full-width forms.
WIDE = (
    r"\u2e80-\u3000\u3003-\u3007\u3012\u3013\u301c-\u30ff\u3100-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff65-\uffdc\U00020000-\U0003ffff"
)
# A line does not begin with these (closing marks) and does not end with those (opening marks).
_CLOSING = "、。〉》」』】〕〗〙〛！），．：；？］｝～”’…"
_OPENING = "〈《「『【〔〖〘〚（［｛“‘"
# Marks that belong to the character before them: combining ones, joiners, variation selectors.
_MARKS = (
    r"\u0300-\u036f\u0483-\u0489\u200d\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ufe00-\ufe0f"
    r"\ufe20-\ufe2f\U000e0100-\U000e01ef"
)

_WORD = re.compile(
    f" +|[{_OPENING}]*(?:[{WIDE}][{_MARKS}]*[,.;:!?)\\]}}]*|[^ {WIDE}{_OPENING}{_CLOSING}]+)?[{_MARKS}]*"
    f"(?:[{_CLOSING}][{_MARKS}]*)*"
)
_ASCII_WORD = re.compile(r" +|[^ ]+")
_TAB_OR_TEXT = re.compile(r"\t|[^\t]+")


def wrap(runs: Sequence[Run], width: int) -> list[list[Run]]:
    """`runs` as lines of at most `width` cells, broken at words; "\n" ends a line.

    A word longer than a line is broken where the line is full. Spaces at a break are dropped.
    """
    text = _text(runs)
    return list(cut(runs, _trimmed(text, line_spans(text, width))))


def wrap_open(runs: Sequence[Run], width: int) -> tuple[list[list[Run]], list[Run]]:
    """The lines of `wrap` but the last, and what of `runs` is in the last: text to come goes on there."""
    text = _text(runs)
    spans = line_spans(text, width)
    (last,) = cut(runs, spans[-1:])
    return list(cut(runs, _trimmed(text, spans[:-1]))), last


def _text(runs: Sequence[Run]) -> str:
    return "".join(part for part, _ in runs)


def _trimmed(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(start, start + len(text[start:end].rstrip(" "))) for start, end in spans]


def line_spans(text: str, width: int) -> list[tuple[int, int]]:
    """(start, end) of each line of `text`; the end of the last takes its trailing spaces in."""
    spans, start = [], 0
    for line in text.split("\n"):
        spans += _spans_of_line(line, start, max(1, width))
        start += len(line) + 1
    return spans


def _spans_of_line(line: str, offset: int, width: int) -> list[tuple[int, int]]:
    ascii_only = line.isascii()
    if ascii_only and len(line) <= width:
        return [(offset, offset + len(line))]
    length = len if ascii_only else cell_len
    spans, start, filled, at = [], 0, 0, 0
    for word in (_ASCII_WORD if ascii_only else _WORD).findall(line):
        size = length(word)
        if filled + size > width and word[:1] != " ":
            if at > start:
                spans.append((offset + start, offset + at))
            start, filled = at, 0
            if size > width:
                *full, (last, size) = chop(word, width)
                for piece, _ in full:
                    spans.append((offset + start, offset + start + len(piece)))
                    start += len(piece)
                at = start
                word = last
        # Spaces that overflow are dropped with the line's end; the next word starts anew.
        filled += size
        at += len(word)
    spans.append((offset + start, offset + len(line)))
    return spans


def chop(text: str, width: int) -> list[tuple[str, int]]:
    """(piece, its cells) of `text` broken wherever `width` is reached; at least one piece."""
    if text.isascii():
        pieces = [text[at : at + width] for at in range(0, len(text), width)] or [""]
        return [(piece, len(piece)) for piece in pieces]
    pieces, start, filled = [], 0, 0
    for begin, _, size in split_graphemes(text)[0]:
        if filled + size > width and begin > start:
            pieces.append((text[start:begin], filled))
            start, filled = begin, 0
        filled += size
    pieces.append((text[start:], filled))
    return pieces


def cut(runs: Sequence[Run], spans: Sequence[tuple[int, int]]) -> Iterator[list[Run]]:
    """The part of `runs` within each of the spans, which are in order and do not overlap."""
    index, base = 0, 0
    for start, end in spans:
        line: list[Run] = []
        while index < len(runs):
            text, style = runs[index]
            part = text[max(0, start - base) : end - base] if end > base else ""
            if part:
                line.append((part, style))
            if base + len(text) > end:
                break
            base += len(text)
            index += 1
        yield line


def cells(runs: Sequence[Run] | Sequence[Segment]) -> int:
    """The cells that `runs` take side by side."""
    return sum(len(run[0]) if run[0].isascii() else cell_len(run[0]) for run in runs)


def without_trailing_spaces(line: Sequence[Run]) -> list[Run]:
    """`line` up to its last character that is no space."""
    kept = list(line)
    while kept and not kept[-1][0].strip(" "):
        kept.pop()
    return [*kept[:-1], (kept[-1][0].rstrip(" "), kept[-1][1])] if kept else []


class Fold:
    """Text broken at exactly `width` cells, fed in any number of pieces: the lines of code.

    Tabs become spaces up to the next stop, counted from the start of the unbroken line.
    `rows` are the lines so far; only the last one still changes.
    """

    def __init__(self, width: int) -> None:
        self.width = max(1, width)
        self.rows: list[list[Run]] = [[]]
        self._filled = 0  # cells of the last row
        self._column = 0  # cells since the start

    def feed(self, text: str, style: Style) -> None:
        for part in _TAB_OR_TEXT.findall(text):
            if part == "\t":
                part = " " * (TAB - self._column % TAB)
            self._put(part, style)

    def _put(self, part: str, style: Style) -> None:
        room = self.width - self._filled
        head, size = chop(part, room)[0] if room else ("", 0)
        if head and size <= room:
            self._append(head, size, style)
            part = part[len(head) :]
        if not part:
            return
        for piece, size in chop(part, self.width):
            self.rows.append([])
            self._filled = 0
            self._append(piece, size, style)

    def _append(self, part: str, size: int, style: Style) -> None:
        self.rows[-1].append((part, style))
        self._filled += size
        self._column += size
