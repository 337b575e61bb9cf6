"""The conversation as the chat shows it: what is added, streamed, changed, clicked and found."""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from textual.events import Click
from textual.timer import Timer

from app.chat.store.records import Message, Stub
from app.chat.widgets.transcript import reading
from app.chat.widgets.transcript.finding import Finding, each, whole
from app.chat.widgets.transcript.layout import Place
from app.chat.widgets.transcript.offsets import place

#: Text that arrives is drawn at most so many times a second.
DRAWN_PER_SECOND = 25


class Transcript(reading.ReadingView):
    """All messages of a chat's current branch.

    `load` fetches a message with its text when it comes near the view. A message that is being
    written is fetched when `show` puts it there; what `append` brings follows what it held then.
    `load_many` fetches messages to be searched; without it each goes through `load`.
    """

    Action: TypeAlias = reading.Action
    CitationOpened: TypeAlias = reading.CitationOpened
    LinkOpened: TypeAlias = reading.LinkOpened
    Copied: TypeAlias = reading.Copied

    def __init__(
        self,
        load: Callable[[int], Message],
        load_many: Callable[[Sequence[int]], Sequence[Message]] | None = None,
        *,
        now: Callable[[], float] = time.time,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(load, now=now, id=id, classes=classes)
        self._load_many = load_many or (lambda ids: [load(id) for id in ids])
        self._pending: dict[int, list[str]] = {}
        self._timer: Timer | None = None
        self._written = 0.0
        self._finding: Finding | None = None

    # What is shown.

    def show(self, path: Sequence[Stub], at: int | None = None, words: str = "") -> None:
        """Shows a path: its end, or the message `at`, with `words` marked and scrolled to.

        A message appears in the row of the one whose place it takes, so that going through
        versions keeps the eye where it is.
        """
        self._prepare()
        self._pending.clear()
        self._forget_selection()
        layout = self._places
        row = self._row_taken_over(path, at)
        layout.open(path)
        for index, stub in enumerate(path):
            if stub.state == "streaming":
                layout.block(index)
        self._notes = {id: note for id, note in self._notes.items() if id in layout.index}
        self._forget_search()
        marks = self._painter.marks
        marks.citation, marks.words = None, each(words) if words.strip() else None
        self._current = at if at in layout.index else None
        self._following, self._anchor = self._current is None, (0, 0)
        self._drawn = []
        self._lay_out()
        if self._current is None:
            self._update()
        else:
            self._show_message(layout.index[self._current], row)

    def _row_taken_over(self, path: Sequence[Stub], at: int | None) -> int | None:
        """The row of the message that stands where `at` will stand, if that is in view."""
        index = next((index for index, stub in enumerate(path) if stub.id == at), None)
        before = self._places.stubs
        if index is None or index >= len(before) or not self._is_laid_out():
            return None
        if index and before[index - 1].id != path[index - 1].id:
            return None
        row = self._row_of((index, 0))
        return row if 0 <= row < self._places.rows else None

    def _show_message(self, index: int, row: int | None) -> None:
        """Scrolls to a message, and to the first of the marked words in it."""
        if not self._is_laid_out():
            self._anchor = (index, 0)
            return
        self._show_place((index, 0), row if row is not None else self._places.rows // 4)
        if self._painter.marks.words is not None:
            self._reveal(self._place_of_hit(index, 0))

    def add(self, message: Message) -> None:
        """A message at the end of the path. The reader's own is always shown."""
        if message.id in self._places.index:
            self.change(message)
            return
        self._prepare()
        self._text_changed(self._places.add(message))
        if message.role == "user":
            self._following, self._current = True, None
        self._update()

    def append(self, id: int, text: str) -> None:
        """The message goes on; what comes within 40 ms is drawn together."""
        index = self._places.index.get(id)
        if index is None or self._places.stubs[index].state != "streaming":
            return  # it came too late; what the message holds was told already
        self._pending.setdefault(id, []).append(text)
        if self._timer is None:
            wait = self._written + 1 / DRAWN_PER_SECOND - time.monotonic()
            self._timer = self.set_timer(max(wait, 0.001), self._write)

    def _write(self) -> None:
        """Draws what was appended."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        pending, self._pending = self._pending, {}
        layout = self._places
        for id, pieces in pending.items():
            layout.append(layout.index[id], "".join(pieces))
            self._text_changed(layout.index[id])
        if pending:
            self._written = time.monotonic()
            self._update()

    def change(self, message: Message) -> None:
        """The text, state or citations of a message are now these."""
        if message.id not in self._places.index:
            return
        self._write()
        self._places.change(message)
        self._text_changed(self._places.index[message.id])
        self._update()

    def describe(self, id: int, line: str) -> None:
        """A remark in the header of a message, instead of its speed; "" takes it away."""
        self._notes[id] = line
        if id in self._places.index:
            self._update()

    # The mouse.

    def on_click(self, event: Click) -> None:
        """Citations, links, the signs of a header; twice selects a word, three times a message."""
        event.prevent_default()  # Textual's own selects the whole widget
        meta = event.style.meta
        if "offset" not in meta or not self._places.stubs:
            return
        spot = place(meta["offset"][1])
        if event.chain > 1:
            self._select_around(spot, self._character_under(event), event.chain)
        elif self.text_selection is None and spot[0] < len(self._places):
            self._clicked(spot[0], meta)

    def _clicked(self, index: int, meta: dict[str, object]) -> None:
        id = self._places.stubs[index].id
        match meta:
            case {"citation": int(number)}:
                self.post_message(self.CitationOpened(id, number))
            case {"link": str(url)}:
                self.post_message(self.LinkOpened(url))
            case {"sibling": int(step)}:
                self.post_message(self.Action("sibling", id, step))
            case {"fold": True}:
                self._fold(id)
            case {"header": True}:
                self._mark(id)
                self.focus(scroll_visible=False)

    # Finding.

    def find(self, words: str, step: int) -> tuple[int, int]:
        """Marks words wherever they stand, goes to the next time (`step` 0: the first from here on).

        Returns which time of how many in the whole path that is, from 1; (0, 0) when there is none.
        No words end the search.
        """
        if not words.strip():
            self._forget_search()
            self._redraw()
            return 0, 0
        finding = self._searched(words)
        marks = self._painter.marks
        marks.words, marks.here = whole(words), None
        if not finding.total:
            self._redraw()
            return 0, 0
        if finding.at < 0:
            finding.begin(self._anchor[0])
        else:
            finding.step(step)
        index, nth = finding.place
        if self._is_laid_out():
            spot = self._place_of_hit(index, nth)
            self._reveal(spot)
        self._redraw()
        return finding.at + 1, finding.total

    def _searched(self, words: str) -> Finding:
        """The search for these words, in the messages as they are now."""
        if self._finding is None:
            self._finding = Finding(self._texts, len(self._places))
        self._finding.search(words)
        return self._finding

    def _text_changed(self, index: int) -> None:
        if self._finding is not None:
            self._finding.changed(index)

    def _texts(self, indices: Sequence[int]) -> list[str]:
        """The sources of messages, those that are not rendered fetched together."""
        layout = self._places
        missing = [layout.stubs[i].id for i in indices if layout.rendered(layout.stubs[i].id) is None]
        fetched = {message.id: message.content for message in self._load_many(missing)}
        return [fetched[id] if (id := layout.stubs[i].id) in fetched else layout.source(i) for i in indices]

    def _place_of_hit(self, index: int, nth: int) -> Place:
        """The line of a hit, its message unfolded; the header where the text as drawn has no such hit."""
        block = self._places.block(index)
        if block.folded:
            self._fold(self._places.stubs[index].id)
        self._places.measure(index)
        hits = self._painter.hits(block)
        if not hits:
            return index, 0
        nth = min(nth, len(hits) - 1)
        self._painter.marks.here = index, nth
        return index, 1 + hits[nth][0][0]

    def _forget_search(self) -> None:
        self._finding = None
        self._painter.marks.words = self._painter.marks.here = None
