"""What an answer rests on: its citations, one below the other."""

from collections.abc import Sequence
from pathlib import Path

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList

from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import cut, fitted, line
from app.chat.store.records import Citation

#: Characters of a quote that are drawn at most.
_QUOTE = 1000


class Citations(Rows):
    """Two lines each: number, file, place and how the quote was located; then the quote.

    It takes no focus: whoever shows it moves through it.
    """

    class Chosen(Message):
        """The citation at `index` was chosen, or `opened` by choosing it again."""

        def __init__(self, index: int, opened: bool) -> None:
            super().__init__()
            self.index, self.opened = index, opened

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, focusable=False)
        self.citations: tuple[Citation, ...] = ()
        self._at: int | None = None

    @property
    def chosen(self) -> Citation | None:
        """The one that is marked."""
        return self.citations[self._at] if self._at is not None else None

    def show_citations(self, citations: Sequence[Citation]) -> None:
        """Other citations; the mark stays on the same place of the same document, if that is cited still."""
        if tuple(citations) == self.citations:
            return
        before = self.chosen
        self.citations = tuple(citations)
        spans = [(one.file, one.start, one.end) for one in citations]
        same = (before.file, before.start, before.end) if before else None
        self._at = spans.index(same) if same in spans else None
        self.show([_row(one) for one in citations], self._at)

    def choose(self, index: int) -> None:
        """Marks a citation, and says so."""
        if not self.citations:
            return
        self._at = min(max(0, index), len(self.citations) - 1)
        self.highlighted = self._at
        self.post_message(self.Chosen(self._at, opened=False))

    def move(self, step: int) -> None:
        """The mark on to another citation; from nowhere to the first."""
        self.choose(0 if self._at is None else self._at + step)

    def leave(self) -> None:
        """Takes the mark away."""
        self._at = self.highlighted = None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        again = event.option_index == self._at
        self._at = event.option_index
        self.post_message(self.Chosen(event.option_index, opened=again))


def located(citation: Citation) -> str:
    """How the quote was found in the document."""
    return "exact" if citation.match == "exact" else f"fuzzy {citation.score:.0f} %"


def _row(citation: Citation) -> Draw:
    where = f"[{citation.number}] {line(Path(citation.name).name)}, {line(citation.place)}"
    quote = line(citation.quote[:_QUOTE])

    def draw(width: int) -> Content:
        match = located(citation)
        head = Content.assemble(
            (fitted(where, width - len(match) - 1), "bold"),
            " ",
            (match, "" if match == "exact" else "italic"),
        )
        return Content("\n").join([cut(head, width), cut(Content(f'    "{quote}"'), width)])

    return draw
