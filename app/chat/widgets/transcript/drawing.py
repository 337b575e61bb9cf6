"""From the lines of a message to lines of the screen: bar, hits, citation, selection, offsets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

from app.chat.widgets.transcript import offsets
from app.chat.widgets.transcript.block import Block
from app.chat.widgets.transcript.header import Look, author
from app.chat.widgets.transcript.paint import Span, occurrences, overlay, spans_with_meta

BAR, NO_BAR = "▌ ", "  "
GUTTER = len(BAR)


@dataclass
class Marks:
    """What stands out in the text: words that were looked for, a citation that was chosen.

    `here` is the message (index) and which of its hits, from 0, the reader stands at;
    `citation` the message (id) and the number.
    """

    words: re.Pattern[str] | None = None
    here: tuple[int, int] | None = None
    citation: tuple[int, int] | None = None


@dataclass(frozen=True)
class Line:
    """One line to draw: which it is, what it shows before anything is laid over it."""

    block: Block
    place: tuple[int, int]
    source: Strip
    current: bool


@dataclass
class Painter:
    """Draws lines in the styles of the moment, and again only what changed."""

    look: Look = field(default_factory=Look)
    base: Style = field(default_factory=Style.null)
    marks: Marks = field(default_factory=Marks)
    width: int = 0
    body_width: int = 0

    def draw(self, line: Line, selected: Selection | None) -> Strip:
        """The line in exactly `width` cells."""
        number = line.place[1]
        spans = tuple(self._spans(line))
        picked = selected and offsets.span(selected, offsets.number(line.place), selectable(line))
        key = (line.place[0], line.current, spans, picked, self.width, self.base, self.look)
        finished = line.block.painted(number, line.source, key)
        if finished is None:
            finished = self._compose(line, spans, picked)
            line.block.paint(number, line.source, key, finished)
        return finished

    def _compose(self, line: Line, spans: Sequence[tuple[Span, Style]], picked: Span | None) -> Strip:
        strip = line.source
        for span, style in spans:
            strip = overlay(strip, [span], style)
        if picked:
            strip = overlay(strip, [picked], self.look.selection)
        gutter = Segment(BAR, self.look.bar) if line.current else Segment(NO_BAR)
        whole = Strip([gutter, *strip], GUTTER + strip.cell_length).apply_style(self.base)
        whole = whole.apply_offsets(-GUTTER, offsets.number(line.place))
        return whole.adjust_cell_length(self.width, self.base)

    def _spans(self, line: Line) -> list[tuple[Span, Style]]:
        """What is to stand out in a line, in the order in which it is laid over it."""
        spans: list[tuple[Span, Style]] = []
        place, number = line.place
        if number == 0:
            return spans
        if self.marks.words is not None and number <= self.body_lines(line.block):
            for nth, span in self._hits_in_line(line.block, number - 1):
                spans.append((span, self.look.here if self.marks.here == (place, nth) else self.look.hit))
        if self.marks.citation is not None and self.marks.citation[0] == line.block.message.id:
            number_cited = self.marks.citation[1]
            found = spans_with_meta(line.source, "citation", number_cited)
            spans += [(span, self.look.citation) for span in found]
        return spans

    def body_lines(self, block: Block) -> int:
        """How many lines of a message show its text."""
        return 1 if block.is_folded(self.body_width) else len(block.text.lines(self.body_width))

    def hits(self, block: Block) -> list[list[tuple[int, Span]]]:
        """Where the words stand in the drawn text; see `paint.occurrences`."""
        if self.marks.words is None:
            return []
        words, plain = self.marks.words, block.text.plain(self.body_width)
        key = (words, self.body_width, len(block.text.source), id(plain))
        return block.remember("hits", key, lambda: occurrences(plain, words))

    def _hits_in_line(self, block: Block, number: int) -> Sequence[tuple[int, Span]]:
        """The pieces of hits in one line, each with the number of its hit."""
        hits = self.hits(block)
        return block.remember("hits by line", id(hits), lambda: _by_line(hits)).get(number, ())


def _by_line(hits: list[list[tuple[int, Span]]]) -> dict[int, list[tuple[int, Span]]]:
    lines: dict[int, list[tuple[int, Span]]] = {}
    for nth, pieces in enumerate(hits):
        for line, span in pieces:
            lines.setdefault(line, []).append((nth, span))
    return lines


def selectable(line: Line) -> int:
    """Characters of a line that can be selected: all but the decoration of a header."""
    if line.place[1] == 0:
        return len(author(line.block.message))
    return len(line.source.text.rstrip())
