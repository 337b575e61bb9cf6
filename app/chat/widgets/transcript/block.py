"""One message as lines: header, text, remarks, an empty line."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from app.chat.markdown import MarkdownText, Palette
from app.chat.markdown.cells import wrap
from app.chat.store.records import Message, Stub
from app.chat.widgets.transcript.header import Look, header, one_line

T = TypeVar("T")


class Block:
    """A message that is near the view, rendered for one width at a time.

    Line 0 is the header, the last one is empty. A folded block shows the first line of its text
    and how many more there are.
    """

    def __init__(self, message: Message, palette: Palette) -> None:
        self.message = message
        self.folded = False
        self._palette = palette
        self._text = self._rendering()
        self._painted: dict[int, tuple[Strip, object, Strip]] = {}
        self._remembered: dict[str, tuple[object, Any]] = {}

    @property
    def text(self) -> MarkdownText:
        """The rendering of the message's text."""
        return self._text

    @property
    def growing(self) -> bool:
        """Whether the text is still being written."""
        return self.message.state == "streaming"

    def change(self, message: Message) -> None:
        """Takes over another text, state or citations, at the least cost."""
        before, self.message = self.message, message
        self._text.restyle(self._palette, _marks(message))
        if before.state == "streaming" and message.content == self._text.source:
            if not self.growing:
                self._text.finish()
        elif before.state != message.state or before.content != message.content:
            self._text = self._rendering()

    def restyle(self, palette: Palette) -> None:
        """Other colours."""
        self._palette = palette
        self._text.restyle(palette, _marks(self.message))

    def append(self, text: str) -> None:
        """The text goes on."""
        self._text.append(text)

    def _rendering(self) -> MarkdownText:
        message = self.message
        return MarkdownText(
            message.content, growing=self.growing, palette=self._palette, citations=_marks(message)
        )

    # Lines.

    def height(self, width: int) -> int:
        """Lines that the message takes in `width` cells."""
        body, notes = len(self._text.lines(width)), len(self._remarks(width))
        return 2 + (min(body, 1) + 1 if self.is_folded(width) else body) + notes

    def is_folded(self, width: int) -> bool:
        """Whether lines are hidden; folding hides none of a text that is one line."""
        return self.folded and len(self._text.lines(width)) > 1

    def line(self, number: int, width: int, look: Look) -> Strip:
        """Line `number` after the header, "" when it is the empty one at the end."""
        body = self._text.lines(width)
        shown = len(body)
        if self.is_folded(width):
            if number == 2:
                return self._more(shown - 1, look)
            shown, number = 1, number if number < 2 else number - 1
        if number <= shown:
            return body[number - 1]
        notes = self._remarks(width, look)
        place = number - shown - 1
        return notes[place] if place < len(notes) else EMPTY

    def head(self, stub: Stub, width: int, look: Look, note: str, now: float) -> Strip:
        """The header, the same object until something in it changes."""
        key = (self.message, stub, width, look, note, self.folded, int(now // 86400))
        return self.remember(
            "header", key, lambda: header(self.message, stub, width, look, note, self.folded, now)
        )

    def painted(self, number: int, source: Strip, key: object) -> Strip | None:
        """The finished line made earlier from the same parts, if it was."""
        found = self._painted.get(number)
        return found[2] if found and found[0] is source and found[1] == key else None

    def paint(self, number: int, source: Strip, key: object, finished: Strip) -> Strip:
        """Keeps a finished line for `painted`."""
        self._painted[number] = source, key, finished
        return finished

    def remember(self, name: str, key: object, make: Callable[[], T]) -> T:
        """What `make` returned for this key, made once; one thing is kept per name."""
        found = self._remembered.get(name)
        if found is None or found[0] != key:
            found = self._remembered[name] = key, make()
        return found[1]

    def _more(self, hidden: int, look: Look) -> Strip:
        text = f"… {hidden:,} more line{'' if hidden == 1 else 's'}"
        return Strip([Segment(text, look.dim + Style.from_meta({"fold": True}))])

    def _remarks(self, width: int, look: Look | None = None) -> Sequence[Strip]:
        message = self.message
        if message.state != "error" or not message.error:
            return ()
        style = look.state if look else Style.null()
        words = one_line(f"error: {message.error}")
        return self.remember(
            "remarks",
            (words, width, style),
            lambda: [Strip([Segment(*run) for run in line]) for line in wrap([(words, style)], width)],
        )


EMPTY = Strip([])


def _marks(message: Message) -> frozenset[int]:
    return frozenset(citation.number for citation in message.citations)
