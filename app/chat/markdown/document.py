"""A message's Markdown as lines for a terminal, whole or while it is being written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from textual.strip import Strip

from app.chat.markdown.blocks import Block, Plain
from app.chat.markdown.drawing import draw_blocks
from app.chat.markdown.frame import Frame
from app.chat.markdown.growing import Grower, codes_of
from app.chat.markdown.palette import Palette
from app.chat.markdown.parser import Numbers, read_blocks
from app.chat.markdown.safe import safe

#: Characters beyond which a text is shown as it is: no answer is as long, a pasted file can be.
LARGEST = 200_000


@dataclass(frozen=True)
class CodeBlock:
    """A code block as it was written, without its fences; `number` is the one drawn."""

    number: int
    language: str
    text: str


class MarkdownText:
    """Markdown drawn as strips, each at most as wide as asked for.

    While `growing`, `append` costs by the block that is open at the end, not by the length of the
    text. `finish` ends that: from then on all is as if `source` had been given at once.
    """

    def __init__(
        self, text: str = "", *, growing: bool = False, palette: Palette, citations: Collection[int] = ()
    ) -> None:
        self._parts: list[str] = []
        self._palette = palette
        self._citations = frozenset(citations)
        self._grower = Grower(Numbers()) if growing else None
        self._line = ""  # the line being written
        self._blocks: list[Block] | None = None
        self._lines: tuple[int, list[Strip]] | None = None
        self._plain: tuple[int, list[str]] | None = None
        self._add(text)

    @property
    def source(self) -> str:
        """All text as it came in."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def append(self, text: str) -> None:
        """Adds text to the end. Raises ValueError when the text is finished."""
        if self._grower is None:
            raise ValueError("a finished text does not grow")
        self._add(text)

    def finish(self) -> None:
        """Ends the growing; the next lines are drawn from the whole source."""
        self._grower = None
        self._line = ""
        self._forget()

    def restyle(self, palette: Palette, citations: Collection[int]) -> None:
        """Changes the styles, and the numbers whose marks lead to a source."""
        if (palette, frozenset(citations)) != (self._palette, self._citations):
            self._palette, self._citations = palette, frozenset(citations)
            self._forget()

    def lines(self, width: int) -> Sequence[Strip]:
        """The lines at this width; the same object as long as nothing changes."""
        if self._lines is None or self._lines[0] != width:
            frame = Frame(max(1, width), self._palette, self._citations)
            strips = self._grower.draw(frame) if self._grower else draw_blocks(self._all_blocks(), frame)
            self._lines = width, strips
            self._plain = None
        return self._lines[1]

    def plain(self, width: int) -> Sequence[str]:
        """The text of each of those lines."""
        strips = self.lines(width)
        if self._plain is None:
            self._plain = width, [strip.text for strip in strips]
        return self._plain[1]

    @property
    def code_blocks(self) -> tuple[CodeBlock, ...]:
        """The code blocks in the order of their numbers."""
        codes = self._grower.codes() if self._grower else codes_of(self._all_blocks())
        return tuple(CodeBlock(code.number, code.language, "\n".join(code.lines)) for code in codes)

    def _add(self, text: str) -> None:
        if not text:
            return
        self._parts.append(text)
        if self._grower:
            *complete, self._line = (self._line + safe(text)).split("\n")
            for line in complete:
                self._grower.line(line)
            self._grower.rest(self._line)
        self._forget()

    def _all_blocks(self) -> list[Block]:
        if self._blocks is None:
            text = safe(self.source)
            self._blocks = [Plain(False, text.split("\n"))] if len(text) > LARGEST else read_blocks(text)
        return self._blocks

    def _forget(self) -> None:
        self._lines = self._plain = None
