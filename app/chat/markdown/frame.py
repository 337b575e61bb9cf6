"""Where a block is drawn: the width, the marks to its left, the styles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from rich.segment import Segment
from textual.strip import Strip

from app.chat.markdown.cells import Run, cells, without_trailing_spaces
from app.chat.markdown.palette import Palette

#: Cells that are left for text, however deep it is nested: deeper levels are no longer indented.
LEAST_ROOM = 10


@dataclass(frozen=True)
class Frame:
    """`first` stands left of the first line, `rest`, as wide, left of the others.

    `depth` counts the bullet lists around.
    """

    width: int
    palette: Palette
    citations: Collection[int]
    first: tuple[Run, ...] = ()
    rest: tuple[Run, ...] = ()
    depth: int = 0
    room: int = field(init=False)
    _left: int = field(init=False)  # cells of the marks

    def __post_init__(self) -> None:
        object.__setattr__(self, "_left", cells(self.rest))
        object.__setattr__(self, "room", max(1, self.width - self._left))

    def below(self) -> "Frame":
        """The frame of what follows the first line."""
        return self if self.first is self.rest else replace(self, first=self.rest)

    def can_indent(self, size: int) -> bool:
        """Whether enough room is left for text beside a mark of `size` cells."""
        return self.room - size >= LEAST_ROOM

    def indented(self, first: Run, rest: Run, deeper: int = 0) -> "Frame":
        """The frame of what is inside a container with these marks."""
        return replace(
            self, first=_joined(self.first, first), rest=_joined(self.rest, rest), depth=self.depth + deeper
        )

    def strips(self, lines: Sequence[Sequence[Run]]) -> list[Strip]:
        """The lines with the marks before them; at least one when the first mark differs."""
        drawn = [
            self._strip(self.first if not index else self.rest, line) for index, line in enumerate(lines)
        ]
        return drawn or ([self._strip(self.first, ())] if self.first != self.rest else [])

    def blank(self) -> Strip:
        """An empty line, with the bars of the quotes around."""
        return self._strip(self.rest, ())

    def _strip(self, marks: tuple[Run, ...], line: Sequence[Run]) -> Strip:
        """One line; what exceeds the width, which only absurd text and widths can, is cut off."""
        runs = [*marks, *line] if line else without_trailing_spaces(marks)
        size = self._left + cells(line) if line else cells(runs)
        strip = Strip([Segment(text, style) for text, style in runs], size)
        return strip if size <= self.width else strip.crop(0, self.width)


def _joined(marks: tuple[Run, ...], mark: Run) -> tuple[Run, ...]:
    """`marks` and one more, as few runs as possible."""
    if marks and marks[-1][1] == mark[1]:
        return (*marks[:-1], (marks[-1][0] + mark[0], mark[1]))
    return (*marks, mark)


class Drawn:
    """Lines of a growing block that do not change any more: made once for a frame, kept as strips."""

    def __init__(self) -> None:
        self.strips: list[Strip] = []
        self._frame: Frame | None = None

    def begin(self, frame: Frame) -> bool:
        """Forgets what was drawn in another frame. Whether nothing is drawn yet."""
        if frame != self._frame:
            self._frame, self.strips = frame, []
        return not self.strips

    def add(self, lines: Sequence[Sequence[Run]]) -> None:
        """Draws lines below the others."""
        self.strips += self.with_more(lines)

    def with_more(self, lines: Sequence[Sequence[Run]]) -> list[Strip]:
        """The strips of lines below the others, which are not kept."""
        assert self._frame is not None
        return (self._frame.below() if self.strips else self._frame).strips(lines) if lines else []
