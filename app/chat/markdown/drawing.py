"""Blocks to lines on a terminal."""

from collections.abc import Sequence

from rich.style import Style
from textual.strip import Strip

from app.chat.markdown.blocks import Block, Code, Item, Line, Plain, Prose, Quote, Table, gap_between
from app.chat.markdown.cells import Fold, Run, chop, wrap
from app.chat.markdown.colouring import Colours, colour_lines, style_of
from app.chat.markdown.frame import Frame
from app.chat.markdown.inline import runs_of
from app.chat.markdown.palette import Palette
from app.chat.markdown.table import draw_table

_BULLETS = "•◦▪"
_BOXES = {True: "☑", False: "☐"}

#: Left of a line of code, and left of what it continues with when it is too long for one line.
GUTTER, CONTINUED = "│ ", "│↪"


def draw_blocks(blocks: Sequence[Block], frame: Frame) -> list[Strip]:
    """Blocks below one another, with a blank line where neighbours stand apart."""
    strips: list[Strip] = []
    before: Block | None = None
    for block in blocks:
        strips += draw_next(before, block, frame if before is None else frame.below())
        before = block
    return strips or frame.strips([])


def draw_next(before: Block | None, block: Block, frame: Frame) -> list[Strip]:
    """A block, after the blank line that sets it off from the one before."""
    apart = before is not None and gap_between(before, block)
    return [*([frame.blank()] if apart else []), *draw(block, frame)]


def draw(block: Block, frame: Frame) -> list[Strip]:
    """The lines of one block, each at most as wide as the frame."""
    match block:
        case Prose():
            return frame.strips(
                wrap(
                    [*heading_mark(block, frame.palette), *prose_runs(block, block.pieces, frame)], frame.room
                )
            )
        case Code():
            return _draw_code(block, frame)
        case Table():
            return draw_table(block, frame)
        case Line():
            return frame.strips([[("─" * frame.room, frame.palette.quiet)]])
        case Quote():
            return draw_blocks(block.children, quote_frame(frame))
        case Item():
            strips, inner = item_frame(block, frame)
            return [*strips, *draw_blocks(block.children, inner)]
        case Plain():
            style = frame.palette.text
            return frame.strips(
                [row for line in block.lines for row in fold_line([(line, style)], frame.room)]
            )
    return []


def heading_mark(block: Prose, palette: Palette) -> list[Run]:
    """The number signs before a heading: its level, told without colour or size."""
    return [("#" * block.level + " ", palette.quiet)] if block.level else []


def prose_runs(block: Prose, pieces: Sequence[str], frame: Frame) -> list[Run]:
    """The text of these pieces of a paragraph or heading."""
    base = frame.palette.heading if block.level else frame.palette.text
    return runs_of(pieces, frame.palette, frame.citations, base)


def quote_frame(frame: Frame) -> Frame:
    """The frame inside a block quote: a bar on the left."""
    bar = ("▌ ", frame.palette.quiet)
    return frame.indented(bar, bar) if frame.can_indent(2) else frame


def item_frame(item: Item, frame: Frame) -> tuple[list[Strip], Frame]:
    """The frame inside a list item; and a line with its marker, where there is no room beside it."""
    if item.checked is not None:
        sign = _BOXES[item.checked]
    elif item.number is None:
        sign = _BULLETS[frame.depth % len(_BULLETS)]
    else:
        sign = f"{item.number}{item.delimiter}"
    mark = f"{sign} "
    marker = (mark, frame.palette.marker)
    deeper = int(item.number is None)
    if frame.can_indent(len(mark)):
        return [], frame.indented(marker, (" " * len(mark), frame.palette.text), deeper)
    return frame.strips([[(chop(sign, frame.room)[0][0], frame.palette.marker)]]), frame.below()


def _draw_code(block: Code, frame: Frame) -> list[Strip]:
    if block.colours is None:
        block.colours = colour_lines(block.language, block.lines)
    rows = [code_head(block, frame)]
    for line, colours in zip(block.lines, block.colours, strict=True):
        rows += code_rows(line, colours, frame)
    return frame.strips([*rows, code_foot(frame)])


def code_head(block: Code, frame: Frame) -> list[Run]:
    """The line above a block: its number, by which it is copied, and its language."""
    label = f"{block.number} {block.language}" if block.language else str(block.number)
    label = chop(label, max(1, frame.room - 4))[0][0]
    return [("╭╴", frame.palette.quiet), (label, frame.palette.marker)]


def code_foot(frame: Frame) -> list[Run]:
    """The line below a block."""
    return [("╰╴", frame.palette.quiet)]


def code_rows(line: str, colours: Colours, frame: Frame) -> list[list[Run]]:
    """One line of code, in as many rows as it takes."""
    return with_gutter(fold_line(coloured(line, colours, frame.palette), frame.room - len(GUTTER)), frame)


def with_gutter(rows: Sequence[list[Run]], frame: Frame, continued: bool = False) -> list[list[Run]]:
    """Rows of one line of code with the bar to their left; `continued`: the first is none of its start."""
    drawn: list[list[Run]] = []
    for row in rows:
        mark = CONTINUED if drawn or continued else GUTTER if row else GUTTER.rstrip()
        drawn.append([(mark, frame.palette.quiet), *row])
    return drawn


def coloured(line: str, colours: Colours, palette: Palette) -> list[Run]:
    """`line` in runs by its colours."""
    runs: list[Run] = []
    at = 0
    for start, end, kind in colours:
        if start > at:
            runs.append((line[at:start], palette.text))
        if end > max(start, at):
            style = style_of(kind, palette)
            _join(runs, line[max(start, at) : end], style)
            at = end
    if at < len(line):
        _join(runs, line[at:], palette.text)
    return runs


def _join(runs: list[Run], text: str, style: Style) -> None:
    if runs and runs[-1][1] == style:
        runs[-1] = (runs[-1][0] + text, style)
    else:
        runs.append((text, style))


def fold_line(runs: Sequence[Run], room: int) -> list[list[Run]]:
    """A line broken wherever it is full."""
    fold = Fold(room)
    for text, style in runs:
        fold.feed(text, style)
    return fold.rows
