"""Selecting text with the mouse, within a message and across many."""

from rich.segment import Segment
from textual.events import Click
from textual.geometry import Offset
from textual.selection import Selection
from textual.strip import Strip

from app.chat.widgets.transcript import offsets
from app.chat.widgets.transcript.drawing import Line, selectable
from app.chat.widgets.transcript.header import Look, author
from app.chat.widgets.transcript.layout import Place
from app.chat.widgets.transcript.view import ConversationView


class SelectableView(ConversationView):
    """A conversation whose text can be selected and copied."""

    ALLOW_SELECT = True

    def selection_updated(self, selection: Selection | None) -> None:
        """Selected text holds the view: it must not run away under the mouse while an answer arrives."""
        self._following = selection is None and self._at_end()
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text: as drawn at both ends, as written for the messages between."""
        if not self._places.stubs:
            return None
        return self._selected_text(selection), "\n"

    def _selected_text(self, selected: Selection) -> str:
        start, end = offsets.bounds(selected, len(self._places))
        first, last = offsets.place(start.y)[0], min(offsets.place(end.y)[0], len(self._places) - 1)
        parts: list[str] = []
        for index in range(first, last + 1):
            if first < index < last:
                parts.append(f"{author(self._places.message(index))}\n{self._places.source(index)}\n")
            else:
                parts += self._selected_lines(index, selected)
        return "\n".join(parts)

    def _selected_lines(self, index: int, selected: Selection) -> list[str]:
        layout = self._places
        block = layout.block(index)
        name = Strip([Segment(author(block.message))])
        sources = [name, *(block.line(n, layout.width, Look()) for n in range(1, layout.measure(index)))]
        lines: list[str] = []
        for number, source in enumerate(sources):
            line = Line(block, (index, number), source, False)
            at = offsets.number(line.place)
            if selected.get_span(at) is None:
                continue
            found = offsets.span(selected, at, selectable(line))
            lines.append(source.text[slice(*found)] if found else "")
        return lines

    def _select(self, start: Place, first: int, end: Place, last: int) -> None:
        """Selects from a character of one line to before a character of another."""
        ends = Offset(first, offsets.number(start)), Offset(last, offsets.number(end))
        self.screen.selections = {self: Selection(*ends)}

    def _character_under(self, event: Click) -> int:
        """Which character of its line a click hit."""
        offset = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)[1]
        return 0 if offset is None else offset.x

    def _select_around(self, spot: Place, character: int, clicks: int) -> None:
        """Selects the word at a character, or with more than two clicks the text of its message."""
        index, line = spot
        height = self._places.measure(index)
        if clicks > 2:
            self._select((index, 1), 0, (index, height - 1), 0)
        elif line:
            block = self._places.block(index)
            text = block.line(line, self._places.width, self._painter.look).text
            start, end = offsets.word_at(text, character)
            self._select(spot, start, spot, end)
