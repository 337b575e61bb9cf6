"""The keys of the transcript: going from message to message, and what is done with one."""

from typing import ClassVar, Literal

from textual.binding import BindingType
from textual.message import Message as Event

from app.chat.keys import bindings_of
from app.chat.markdown import CodeBlock
from app.chat.widgets.transcript.paint import spans_with_meta
from app.chat.widgets.transcript.selecting import SelectableView

#: Lines that stay in view when a page is turned.
OVERLAP = 2

ActionName = Literal["edit", "retry", "resume", "copy", "delete", "undo", "branches", "sibling"]


class Action(Event, namespace="transcript"):
    """The reader wants something done with a message (0: with the chat, which is empty).

    `step` says which way for "sibling".
    """

    def __init__(self, name: ActionName, message: int, step: int = 0) -> None:
        super().__init__()
        self.name, self.message, self.step = name, message, step


class CitationOpened(Event, namespace="transcript"):
    """The reader wants to see the page that citation `number` of a message stands on."""

    def __init__(self, message: int, number: int) -> None:
        super().__init__()
        self.message, self.number = message, number


class LinkOpened(Event, namespace="transcript"):
    """A link was clicked. Nothing was opened yet: its address comes from a model."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class Copied(Event, namespace="transcript"):
    """`text` was put on the clipboard; `what` says what it is in a word or two."""

    def __init__(self, text: str, what: str) -> None:
        super().__init__()
        self.text, self.what = text, what


class ReadingView(SelectableView):
    """A conversation with a marked message that keys act on."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("transcript")]

    # Going about.

    def action_next(self) -> None:
        """The next message; first the rest of this one, where it is longer than the view."""
        index = self._marked()
        if index is None:
            return
        end = self._row_of((index, 0)) + self._places.measure(index) - 1
        if end > self._places.rows:
            self._scroll_lines(min(self._page, end - self._places.rows))
        elif index + 1 < len(self._places):
            self._go_to(index + 1)

    def action_previous(self) -> None:
        """The message before; first the beginning of this one."""
        index = self._marked()
        if index is None:
            return
        row = self._row_of((index, 0))
        if row < 0:
            self._scroll_lines(-min(self._page, -row))
        elif index > 0:
            self._go_to(index - 1)

    def _marked(self) -> int | None:
        """The index of the marked message. A mark out of sight is set anew, and that was the step."""
        layout = self._places
        index = layout.index.get(self._current) if self._current is not None else None
        if index is None and layout.stubs:
            index = len(layout) - 1
        if index is None or self._is_visible(index):
            return index
        visible = self._visible_messages()
        self._mark(layout.stubs[visible[0] if visible else index].id)
        return None

    @property
    def _page(self) -> int:
        return max(1, self._places.rows - OVERLAP)

    def _go_to(self, index: int) -> None:
        """Marks a message and scrolls no further than it takes to see it whole, or one end of it."""
        layout = self._places
        shown = layout.measure(index) - 1
        self._update()
        row = self._row_of((index, 0))
        if row < 0:
            self._show_place((index, max(0, shown - layout.rows)), 0)
        elif row + shown > layout.rows:
            self._show_place((index, 0), max(0, layout.rows - shown))
        else:
            self._following = self._at_end() and index == len(layout) - 1
        self._mark(layout.stubs[index].id)

    def action_first(self) -> None:
        """The first message."""
        if self._places.stubs:
            self._show_place((0, 0), 0)
            self._mark(self._places.stubs[0].id)

    def action_last(self) -> None:
        """The last message; the view follows what is being written."""
        if self._places.stubs:
            self._show_end()
            self._mark(self._places.stubs[-1].id)

    def action_page_down(self) -> None:
        """A page on."""
        if self._places.stubs:
            self._scroll_lines(self._page)

    def action_page_up(self) -> None:
        """A page back."""
        if self._places.stubs:
            self._scroll_lines(-self._page)

    # What the app does.

    def action_sibling(self, step: int) -> None:
        """Another version of the message."""
        self._ask("sibling", step)

    def action_edit(self) -> None:
        """Write the message again, beside it."""
        self._ask("edit")

    def action_retry(self) -> None:
        """Answer again, beside the old answer."""
        self._ask("retry")

    def action_resume(self) -> None:
        """Go on with a stopped answer."""
        self._ask("resume")

    def action_delete(self) -> None:
        """Delete the message and what follows."""
        self._ask("delete")

    def action_undo(self) -> None:
        """Undo the last deletion."""
        self._ask("undo")

    def action_branches(self) -> None:
        """The tree of this chat."""
        self._ask("branches")

    def _ask(self, name: ActionName, step: int = 0) -> None:
        message = self.current
        if message is not None or name in ("undo", "branches"):
            self.post_message(Action(name, message or 0, step))

    # What is done here.

    def action_fold(self) -> None:
        """Fold or unfold the message."""
        if self.current is not None:
            self._fold(self.current)

    def _fold(self, id: int) -> None:
        layout = self._places
        index = layout.index[id]
        block = layout.block(index)
        block.folded = not block.folded
        (layout.folded.add if block.folded else layout.folded.discard)(id)
        layout.touched(index)
        self._following = self._following and index == len(layout) - 1
        if self._row_of((index, 0)) < 0 and block.folded:
            self._anchor = (index, 0)
        self._update()

    def action_copy(self) -> None:
        """Copies the message as it was written, Markdown and all."""
        if self.current is not None:
            self._copy(self._places.source(self._places.index[self.current]), "message")

    def action_copy_code(self) -> None:
        """Copies the code block of the message; asks which when there are several."""
        if self.current is None:
            return
        blocks = self._places.block(self._places.index[self.current]).text.code_blocks
        if not blocks:
            self.notify("This message has no code block.")
        elif len(blocks) == 1:
            self._copy(blocks[0].text, "code block")
        else:
            from app.chat.screens.code_blocks import CodeBlocks

            self.app.push_screen(CodeBlocks(blocks), self._copy_code)

    def _copy_code(self, block: CodeBlock | None) -> None:
        if block is not None:
            self._copy(block.text, f"code block {block.number}")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self.post_message(Copied(text, what))

    def action_open_citation(self) -> None:
        """Opens the citation of the message, the next one in turn when there are several."""
        if self.current is None:
            return
        message = self._places.message(self._places.index[self.current])
        numbers = [citation.number for citation in message.citations]
        if not numbers:
            self.notify("This message cites nothing.")
            return
        chosen = self._painter.marks.citation
        before = chosen[1] if chosen and chosen[0] == message.id else None
        after = (numbers.index(before) + 1) % len(numbers) if before in numbers else 0
        self.select_citation(message.id, numbers[after])
        self.post_message(CitationOpened(message.id, numbers[after]))

    def select_citation(self, message: int, number: int) -> None:
        """Shows where a citation stands in its answer, scrolled into view."""
        layout = self._places
        index = layout.index.get(message)
        if index is None:
            return
        self._painter.marks.citation = message, number
        line = self._line_of_citation(index, number)
        if line is not None and self._is_laid_out():
            self._reveal((index, line))
        self._redraw()

    def _line_of_citation(self, index: int, number: int) -> int | None:
        for line, strip in enumerate(self._places.block(index).text.lines(self._places.width), 1):
            if spans_with_meta(strip, "citation", number):
                return line
        return None
