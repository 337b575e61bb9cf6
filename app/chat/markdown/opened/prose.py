"""A paragraph or heading that grows."""

import re

from textual.strip import Strip

from app.chat.markdown.blocks import Prose
from app.chat.markdown.cells import Run, wrap, wrap_open
from app.chat.markdown.drawing import heading_mark, prose_runs
from app.chat.markdown.frame import Drawn, Frame
from app.chat.markdown.opened.base import Open, goes_on, may_be_marks
from app.chat.markdown.parser import read_nodes
from app.chat.markdown.pieces import LONGEST, first_cut

_CLOSING_NUMBERS = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")


class OpenProse(Open):
    """A paragraph or heading. Finished pieces are kept, and so are the lines drawn of them."""

    def __init__(self, gap: bool, line: str, is_heading: bool) -> None:
        match = _HEADING.match(line) if is_heading else None
        self.block = self._prose = Prose(gap, len(match[1]) if match else 0, [])
        self.in_paragraph = match is None
        self._source = ""  # complete lines, from the last cut on
        self._partial = ""
        # Characters of the line being written that are its marks, or are in a finished piece.
        self._eaten = match.end() if match else len(line) - len(line.lstrip())
        self._is_first = True
        self._drawn = Drawn()
        self._carry: list[Run] = []  # the text of the last, unfinished line
        self._count = 0  # pieces that are in the lines

    def take(self, line: str) -> list[str] | None:
        self._partial = ""
        line = line[self._eaten :]
        self._eaten = 0
        if self._prose.level:
            self._source = _CLOSING_NUMBERS.sub("", line.rstrip())
            return []
        if self._is_first:
            self._is_first = False
            self._source = line + "\n"
            self._cut()
            return None
        if not line.strip():
            return [line]
        left = self._ends_before(line)
        if left is None:
            self._source += line + "\n"
            self._cut()
        return left

    def _ends_before(self, line: str) -> list[str] | None:
        """None when the paragraph goes on with `line`; else what of it and the line before is left."""
        if line[:1].isalpha():
            return None
        lines = self._source.split("\n")[:-1]
        last = lines[-1] if lines else ""
        # What stands before matters only in that it is a paragraph.
        text = f"x\n{last}\n{line}" if len(lines) > 1 else f"x {last}\n{line}"
        node = read_nodes(text)[0]
        if node.end == text.count("\n") + 1:
            if node.kind == "heading":
                self._prose.level = int(node.tokens[0].tag[1])
                self.changes_when_closed = True
                return []
            return None
        if len(lines) > 1 and node.end == 1:  # the last line turns out to be the header of a table
            self._source = "\n".join(lines[:-1])
            return [last, line]
        return [line]

    def rest(self, text: str) -> bool:
        if not self._is_first and text.strip() and self._eaten == 0:
            if may_be_marks(text):
                self._partial = ""
                return True
            if not goes_on(text):
                self._partial = ""
                return False
        self._partial = text[self._eaten :]
        self._cut()
        return True

    def close(self) -> None:
        self._prose.pieces.append(self._open_text())
        self._source = self._partial = ""

    def _open_text(self) -> str:
        return (self._source + self._partial).rstrip()

    def _cut(self) -> None:
        """Moves finished pieces from the open text to the block."""
        while (end := first_cut((self._source + self._partial)[: LONGEST + 1])) is not None:
            piece = (self._source + self._partial)[:end]
            self._prose.pieces.append(piece)
            over = max(0, end - len(self._source))
            self._source = self._source[end:]
            self._partial = self._partial[over:]
            self._eaten += over

    def draw(self, frame: Frame) -> list[Strip]:
        if self._drawn.begin(frame):
            self._count, self._carry = 0, heading_mark(self._prose, frame.palette)
        for piece in self._prose.pieces[self._count :]:
            runs = [*self._carry, *prose_runs(self._prose, [piece], frame)]
            lines, self._carry = wrap_open(runs, frame.room)
            self._drawn.add(lines)
        self._count = len(self._prose.pieces)
        last = wrap([*self._carry, *prose_runs(self._prose, [self._open_text()], frame)], frame.room)
        return [*self._drawn.strips, *self._drawn.with_more(last)]
