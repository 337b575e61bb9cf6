"""Code that grows."""

import re

from textual.strip import Strip

from app.chat.markdown.blocks import Code
from app.chat.markdown.cells import TAB, Fold
from app.chat.markdown.colouring import LONGEST_LINE, LineColours
from app.chat.markdown.drawing import GUTTER, code_foot, code_head, code_rows, with_gutter
from app.chat.markdown.frame import Drawn, Frame
from app.chat.markdown.opened.base import Open, without_indent
from app.chat.markdown.parser import language_of

_FENCE = re.compile(r"( *)(`{3,}|~{3,})(.*)")


class _OpenCode(Open):
    """What fenced and indented code share: lines are drawn once, each in its colours."""

    def __init__(self, gap: bool, number: int, language: str) -> None:
        self.block = self._code = Code(gap, number, language, [], [])
        self._lexer = LineColours(language)
        self._partial: str | None = None
        self._drawn = Drawn()
        self._count = 0
        self._long: _LongLine | None = None  # the line being written, when it is long

    def _add(self, line: str) -> None:
        self._partial = self._long = None
        self._code.lines.append(line)
        assert self._code.colours is not None
        self._code.colours.append(self._lexer.next(line))

    def draw(self, frame: Frame) -> list[Strip]:
        if self._drawn.begin(frame):
            self._drawn.add([code_head(self._code, frame)])
            self._count = 0
        for index in range(self._count, len(self._code.lines)):
            assert self._code.colours is not None
            self._drawn.add(code_rows(self._code.lines[index], self._code.colours[index], frame))
        self._count = len(self._code.lines)
        foot = frame.below().strips([code_foot(frame)])
        return [*self._drawn.strips, *self._draw_partial(frame.below()), *foot]

    def _draw_partial(self, frame: Frame) -> list[Strip]:
        line = self._partial
        if not line:
            return []
        if len(line) <= LONGEST_LINE:
            return frame.strips(code_rows(line, self._lexer.peek(line), frame))
        self._long = self._long or _LongLine()
        return self._long.draw(line, frame)


class _LongLine:
    """A long line of code that is being written: full rows are drawn once."""

    def __init__(self) -> None:
        self._drawn = Drawn()
        self._fold = Fold(1)
        self._length = 0  # characters that are in the fold

    def draw(self, line: str, frame: Frame) -> list[Strip]:
        if self._drawn.begin(frame):
            self._fold, self._length = Fold(frame.room - len(GUTTER)), 0
        self._fold.feed(line[self._length :], frame.palette.text)
        self._length = len(line)
        *full, last = with_gutter(self._fold.rows, frame, bool(self._drawn.strips))
        self._drawn.add(full)
        self._fold.rows = [self._fold.rows[-1]]
        return [*self._drawn.strips, *self._drawn.with_more([last])]


class OpenFence(_OpenCode):
    """Code between fences."""

    head = 1

    def __init__(self, gap: bool, line: str, number: int) -> None:
        match = _FENCE.match(line.expandtabs(TAB))
        indent, fence, info = match.groups() if match else ("", "```", "")
        super().__init__(gap, number, language_of(_information(info)))
        self._indent = len(indent)
        self._end = re.compile(rf" {{0,3}}{fence[0]}{{{len(fence)},}}[ \t]*")
        self._fence = fence[0]

    def take(self, line: str) -> list[str] | None:
        if self._end.fullmatch(line):
            return []
        self._add(self._inside(line))
        return None

    def rest(self, text: str) -> bool:
        self._partial = None if text.strip(" " + self._fence) == "" else self._inside(text)
        return True

    def _inside(self, line: str) -> str:
        return line[min(self._indent, len(line) - len(line.lstrip(" "))) :]


class OpenIndented(_OpenCode):
    """Code by four spaces of indentation; blank lines belong to it when more follows."""

    def __init__(self, gap: bool, number: int) -> None:
        super().__init__(gap, number, "")
        self._blank: list[str] = []

    def take(self, line: str) -> list[str] | None:
        inside = without_indent(line, 4)
        if not line.strip():
            self._blank.append(inside or "")
            return None
        if inside is None:
            return [line]
        for each in (*self._blank, inside):
            self._add(each)
        self._blank = []
        return None

    def rest(self, text: str) -> bool:
        self._partial = without_indent(text, 4)
        return self._partial is not None

    def _draw_partial(self, frame: Frame) -> list[Strip]:
        blank = [row for line in self._blank for row in code_rows(line, [], frame)] if self._partial else []
        return [*frame.strips(blank), *super()._draw_partial(frame)]


def _information(text: str) -> str:
    """The information after a fence as the parser reads it: with escapes and entities resolved."""
    from markdown_it.common.utils import unescapeAll

    return unescapeAll(text)
