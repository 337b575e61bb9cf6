"""A Markdown text that grows at its end.

What is finished is read and drawn once. Of the rest only the innermost open block is read again
with each piece: a `Grower` holds the finished blocks of one container, and one open block of a
kind that knows how it goes on (app/chat/markdown/opened), or a few lines whose kind is not
settled yet. Containers hold a `Grower` of their own, so the depth of a list does not matter.

A block is finished when a complete line shows that it has ended. The line being written is drawn
as what it is so far, unless it is only marks: "-" may become an item, a rule, or a heading's
underline, and each would make the lines above jump.

Where this differs from reading the whole text, which `MarkdownText.finish` does at the end: lines
that continue a paragraph of a list item or quote without its indentation and look like another
construct, tabs as indentation within containers, the columns of a table whose later rows are wider
(opened/table.py), and the colours of code (colouring.py).
"""

from collections.abc import Iterator

from textual.strip import Strip

from app.chat.markdown.blocks import Block, Code, Item, Plain, Quote, gap_between
from app.chat.markdown.drawing import draw_next
from app.chat.markdown.frame import Frame
from app.chat.markdown.opened import Container, Open, open_block
from app.chat.markdown.opened.base import may_be_marks, may_be_number
from app.chat.markdown.parser import Numbers, build, is_blank, read_nodes
from app.chat.markdown.pieces import LONGEST, SHORTEST

#: Containers within containers that are followed; the lines of deeper ones are shown as they are.
DEEPEST = 40

# A line with more than this is looked at before it is complete, as it may never be; and as many of its
# characters tell what it begins.
_LONG = 200
_BEGINNING = 60

# Lines of a paragraph that are read again with each piece.
_MOST_LINES = 20


class Grower:
    """The text of one container: complete lines come in by `line`, the one being written by `rest`."""

    def __init__(self, numbers: Numbers, depth: int = 0) -> None:
        self.done: list[Block] = []
        self._numbers = numbers
        self._depth = depth
        self._open: Open | None = None
        self._tail: list[str] = []  # complete lines of a block whose kind is not settled
        self._blank = False  # whether a blank line stands before the tail
        self._previous = ""
        self._partial = ""  # what of the line being written is not within the open block
        self._drawn: list[Strip] = []  # of the first `_count` finished blocks, in `_frame`
        self._count = 0
        self._frame: Frame | None = None

    def line(self, text: str) -> None:
        """Takes a complete line, without its end."""
        self._partial = ""
        pending = [text]
        while pending:
            line = pending.pop(0)
            left = self._open.take(line) if self._open else [line]
            if left is not None:
                self._close_open()
                pending = left[1:] + pending
                if left:
                    self._take_plain(left[0])
            self._previous = line

    def rest(self, text: str) -> None:
        """Takes the line being written, from its start; replaces what was given before."""
        if not self._open and len(text) > _LONG:
            self._open_long_line(text)
        inside = self._open is not None and self._open.rest(text)
        self._partial = "" if inside else text

    def close(self) -> list[Block]:
        """All blocks; nothing may be added afterwards."""
        self._close_open()
        self.done += self._provisional()
        self._tail, self._partial = [], ""
        return self.done

    @property
    def is_empty(self) -> bool:
        """Whether nothing but blank lines came in."""
        return not (self.done or self._open or self._tail)

    @property
    def in_paragraph(self) -> bool:
        """Whether a line of text would continue a paragraph, so that it needs no indentation."""
        return self._open.in_paragraph if self._open else bool(self._tail)

    def codes(self) -> Iterator[Code]:
        """The code blocks in order."""
        yield from codes_of(self.done)
        if isinstance(self._open, Container):
            yield from self._open.inner.codes()
        elif self._open is not None:
            yield from codes_of([self._open.block])
        yield from codes_of(self._provisional())

    def draw(self, frame: Frame) -> list[Strip]:
        """All lines so far; those of finished blocks come from the last time."""
        self._draw_done(frame)
        strips = list(self._drawn)
        before = self.done[-1] if self.done else None
        if self._open is not None:
            strips += self._draw_open(self._open, before, frame)
            before = self._open.block
        for block in self._provisional():
            strips += draw_next(before, block, frame.below() if strips else frame)
            before = block
        return strips or frame.strips([])

    def _take_plain(self, line: str) -> None:
        """Adds a line to the tail, and settles what it shows to be finished."""
        if not self._tail:
            self._blank = is_blank(self._previous)
        self._tail.append(line)
        if len(self._tail) > 1 and line[:1].isalpha() and len(self._tail) < _MOST_LINES:
            return  # more of the paragraph, whatever else it may still become
        nodes = read_nodes("\n".join(self._tail))
        if not nodes:
            self._tail = []
            return
        last = nodes[-1]
        if len(nodes) > 1:
            self.done += build(nodes[:-1], self._tail, self._numbers, self._blank)
            self._blank = is_blank(self._tail[last.start - 1])
            self._tail = self._tail[last.start :]
        self._settle(last.kind, is_blank(line) or last.kind in ("heading", "hr"))

    def _settle(self, kind: str, ended: bool) -> None:
        """Decides what becomes of the tail, which is one block of this kind."""
        if kind in ("bullet_list", "ordered_list", "blockquote") and self._depth >= DEEPEST:
            self.done += [Plain(self._blank, self._tail)]
            self._tail = []
        elif not ended and self._may_wait(kind):
            return
        elif ended and kind in ("paragraph", "formula_block", "heading", "hr"):
            self.done += self._build(self._tail, self._numbers, self._blank)
            self._tail = []
        else:
            lines, self._tail = self._tail, []
            self._open = open_block(kind, lines, self._blank, self._numbers, self._inner)
            for each in lines[self._open.head :]:
                self._open.take(each)
            self._renumber([self._open.block])

    def _open_long_line(self, text: str) -> None:
        """Opens the block that an unfinished long line belongs to, so that it is not read again and again."""
        lines = [*self._tail, text]
        nodes = read_nodes("\n".join([*self._tail, text[:_BEGINNING]]))
        if len(nodes) != 1 or nodes[0].kind in ("fence", "code_block", "table", "hr"):
            return
        kind = nodes[0].kind
        if kind in ("paragraph", "formula_block", "heading"):
            if not self._is_long(lines):
                return
        elif self._tail or self._depth >= DEEPEST:
            return
        blank = self._blank if self._tail else is_blank(self._previous)
        complete, self._tail = self._tail, []
        self._open = open_block(kind, lines, blank, self._numbers, self._inner)
        for each in complete:
            self._open.take(each)
        self._renumber([self._open.block])

    def _may_wait(self, kind: str) -> bool:
        """Whether the tail is of a kind, and short enough, to be read again with each line."""
        if kind == "formula_block":
            return sum(map(len, self._tail)) < LONGEST
        return kind == "paragraph" and not self._is_long(self._tail)

    @staticmethod
    def _is_long(lines: list[str]) -> bool:
        return len(lines) >= _MOST_LINES or sum(map(len, lines)) >= SHORTEST

    def _inner(self) -> "Grower":
        return Grower(self._numbers, self._depth + 1)

    def _build(self, lines: list[str], numbers: Numbers, blank: bool) -> list[Block]:
        return build(read_nodes("\n".join(lines)), lines, numbers, blank)

    def _provisional(self) -> list[Block]:
        """What the tail and the line being written are so far."""
        partial = "" if self._may_be_mark(self._partial) else self._partial
        lines = [*self._tail, *([partial] if partial.strip() else [])]
        if not lines:
            return []
        blank = self._blank if self._tail else is_blank(self._previous)
        if self._depth >= DEEPEST:
            return [Plain(blank, lines)]
        blocks = self._build(lines, Numbers(self._numbers.last), blank)
        self._renumber(blocks)
        return blocks

    def _may_be_mark(self, text: str) -> bool:
        in_list = isinstance(self._open.block if self._open else self.done[-1] if self.done else None, Item)
        return may_be_marks(text) or (in_list and may_be_number(text))

    def _renumber(self, blocks: list[Block]) -> None:
        """Lets the items of an ordered list go on counting from those already finished."""
        before = self._open.block if self._open and blocks[:1] != [self._open.block] else None
        before = before or (self.done[-1] if self.done else None)
        for block in blocks:
            if not isinstance(block, Item):
                return
            if isinstance(before, Item) and before.number is not None and before.delimiter == block.delimiter:
                block.number = before.number + 1
            before = block

    def _close_open(self) -> None:
        if self._open is None:
            return
        opened, self._open = self._open, None
        opened.close()
        if self._frame is not None and self._count == len(self.done) and not opened.changes_when_closed:
            self._drawn += self._draw_open(opened, self.done[-1] if self.done else None, self._frame)
            self._count += 1
        self.done.append(opened.block)

    def _draw_open(self, opened: Open, before: Block | None, frame: Frame) -> list[Strip]:
        apart = before is not None and gap_between(before, opened.block)
        return [
            *([frame.blank()] if apart else []),
            *opened.draw(frame if before is None else frame.below()),
        ]

    def _draw_done(self, frame: Frame) -> None:
        if frame != self._frame:
            self._frame, self._drawn, self._count = frame, [], 0
        for index in range(self._count, len(self.done)):
            before = self.done[index - 1] if index else None
            self._drawn += draw_next(before, self.done[index], frame.below() if index else frame)
        self._count = len(self.done)


def codes_of(blocks: list[Block]) -> Iterator[Code]:
    """The code blocks in `blocks` and in what they contain, in order."""
    for block in blocks:
        if isinstance(block, Code):
            yield block
        elif isinstance(block, Quote | Item):
            yield from codes_of(block.children)
