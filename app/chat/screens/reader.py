"""The text of a document around a citation, page by page, with the quote marked."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static

from app.chat.documents.book import Book, Leaf, pattern_of
from app.chat.screens.text import line, safe
from qwen2_mlx.errors import Qwen2Error

QUOTE = "reverse"
FOUND = "bold underline"
HEADING = "bold"

#: Seconds between two stretches of a search, which leave time for keys.
_BREATH = 0.001

HINT = "n p next, previous page   / find   g go to   c the citation   esc close"


class Reader(Screen[None]):
    """Pages of file `file` of the library at `library`, at the characters `start` to `end`.

    `quote` is what should stand there; where the text is another, it is looked for on the same page.
    """

    AUTO_FOCUS = ""  # keys belong to the page until a box is asked for

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close"),
        Binding("n,right", "turn(1)", "next page"),
        Binding("p,left", "turn(-1)", "page before"),
        Binding("slash", "ask_find", "find"),
        Binding("g", "ask_go", "go to page"),
        Binding("c", "citation", "the citation"),
        Binding("j,down", "scroll('scroll_down')", show=False),
        Binding("k,up", "scroll('scroll_up')", show=False),
        Binding("space,pagedown", "page_on", show=False),
        Binding("pageup", "page_back", show=False),
        Binding("home", "scroll('scroll_home')", show=False),
        Binding("end", "scroll('scroll_end')", show=False),
    ]

    DEFAULT_CSS = """
    Reader {
        background: $background;
        #where { height: 1; background: $panel; text-style: bold; padding: 0 1; }
        #under { height: auto; max-height: 2; color: $text-muted; padding: 0 1; display: none; }
        #under.-told { display: block; }
        #page { padding: 0 1; scrollbar-size-vertical: 1; align-horizontal: center; }
        #text { max-width: 100; width: 1fr; height: auto; }
        Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
        Input.-asked { display: block; }
        #hint { height: 1; color: $text-muted; padding: 0 1; }
    }
    """

    def __init__(self, library: Path | None, file: int, start: int, end: int, quote: str = "") -> None:
        super().__init__()
        self._library, self._file = library, file
        self._start, self._end, self._quote = start, max(start, end), quote
        self._book: Book | None = None
        self._leaf: Leaf | None = None
        self._found: tuple[int, int] | None = None
        self._searching: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="where", markup=False)
        yield Static(id="under", markup=False)
        yield VerticalScroll(Static(id="text", markup=False), id="page", can_focus=False)
        yield Input(id="find", placeholder="find; enter finds the next", compact=True)
        yield Input(id="go", placeholder="number of a page or line; enter goes there", compact=True)
        yield Static(HINT, id="hint", markup=False)

    def on_mount(self) -> None:
        try:
            self._book = Book.open(self._library, self._file)
        except Qwen2Error as error:
            self.query_one("#where", Static).update("No document")
            self.query_one("#text", Static).update(line(str(error)))
            return
        self._locate()
        self.action_citation()

    def on_unmount(self) -> None:
        if self._searching is not None:
            self._searching.stop()
        if self._book is not None:
            self._book.close()

    @property
    def position(self) -> str:
        """Where the page that is shown stands, in words."""
        return self._book.place(self._leaf) if self._book and self._leaf else ""

    # Leafing.

    def action_citation(self) -> None:
        """Back to where the reader was opened."""
        self._found = None
        self._show_at(self._start)

    def action_turn(self, step: int) -> None:
        """The next page, or the one before."""
        if self._book is None or self._leaf is None:
            return
        leaf = self._book.after(self._leaf) if step > 0 else self._book.before(self._leaf)
        if leaf is None:
            self._hint("this is the last page" if step > 0 else "this is the first page")
        else:
            self._show(leaf, at=None)

    def action_page_on(self) -> None:
        """A screen on, and to the next page after the end of this one."""
        page = self.query_one("#page", VerticalScroll)
        if page.scroll_y >= page.max_scroll_y:
            self.action_turn(1)
        else:
            page.scroll_page_down(animate=False)

    def action_page_back(self) -> None:
        """A screen back, and to the end of the page before this one."""
        page = self.query_one("#page", VerticalScroll)
        if page.scroll_y > 0:
            page.scroll_page_up(animate=False)
            return
        before = self._leaf
        self.action_turn(-1)
        if self._leaf is not before:
            self.call_after_refresh(page.scroll_end, animate=False)

    def action_scroll(self, way: str) -> None:
        getattr(self.query_one("#page", VerticalScroll), way)(animate=False)

    def action_close(self) -> None:
        """Takes the line that asks away, else leaves the document."""
        if asked := [box for box in self.query(Input) if box.has_class("-asked")]:
            for box in asked:
                box.remove_class("-asked")
            self.set_focus(None)
            self._hint()
        else:
            self.dismiss(None)

    # Going somewhere.

    def action_ask_find(self) -> None:
        self._ask("#find")

    def action_ask_go(self) -> None:
        self._ask("#go")

    def _ask(self, id: str) -> None:
        if self._book is None:
            return
        for box in self.query(Input):
            box.set_class(f"#{box.id}" == id, "-asked")
        self.query_one(id, Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._book is None or self._leaf is None:
            return
        if event.input.id == "find":
            self._find(event.value)
        elif (position := self._book.go(event.value)) is None:
            self._hint(f"there is no {self._book.file.unit} {line(event.value)[:20]}")
        else:
            self.action_close()
            self._show_at(position)

    def _find(self, words: str) -> None:
        assert self._book is not None
        assert self._leaf is not None
        if self._searching is not None:
            self._searching.stop()
        if pattern_of(words) is None:
            self._hint("type a word to find")
            return
        start = self._found[0] + 1 if self._found else self._leaf.start
        search = self._book.find(words, start)
        self._hint("searching")
        self._searching = self.set_interval(_BREATH, lambda: self._search_on(search))

    def _search_on(self, search: Iterator[tuple[int, int] | None]) -> None:
        """One stretch of a search: a long text is not searched at one go."""
        try:
            found = next(search)
        except StopIteration:
            self._end_search()
            self._found = None
            self._hint("not found")
            return
        if found is not None:
            self._end_search()
            self._found = found
            self._hint()
            self._show_at(found[0])

    def _end_search(self) -> None:
        if self._searching is not None:
            self._searching.stop()
            self._searching = None

    # Drawing.

    def _locate(self) -> None:
        """Finds the quote near its place, should the place be a little off."""
        assert self._book is not None
        if not self._quote or self._book.text(self._start, self._end) == self._quote:
            return
        leaf = self._book.leaf_at(self._start)
        pattern = pattern_of(self._quote)
        if pattern and (found := pattern.search(self._book.text(leaf.start, leaf.end))):
            self._start, self._end = leaf.start + found.start(), leaf.start + found.end()

    def _show_at(self, position: int) -> None:
        if self._book is not None:
            self._show(self._book.leaf_at(position), at=position)

    def _show(self, leaf: Leaf, at: int | None) -> None:
        """Draws a leaf, and scrolls to a character of it, None for its beginning."""
        book = self._book
        assert book is not None
        self._leaf = leaf
        name = Path(book.file.name).name
        self.query_one("#where", Static).update(f"{line(name)} · {line(book.place(leaf))}")
        above = " › ".join(line(title) for title in book.headings_above(leaf.start if at is None else at))
        under = self.query_one("#under", Static)
        under.update(above)
        under.set_class(bool(above), "-told")
        self.query_one("#text", Static).update(self._content(leaf))
        self._hint()
        self.call_after_refresh(self._bring_near, leaf, at)

    def _bring_near(self, leaf: Leaf, at: int | None) -> None:
        page, text = self.query_one("#page", VerticalScroll), self.query_one("#text", Static)
        if self._book is None or at is None or at <= leaf.start or text.size.width < 1:
            page.scroll_home(animate=False)
            return
        before = Content(safe(self._book.text(leaf.start, at)))
        row = before.get_height({}, text.size.width) - 1
        page.scroll_to(y=max(0, row - page.size.height // 3), animate=False)

    def _content(self, leaf: Leaf) -> Content:
        """The text of a leaf; what is marked is cut out of it first, because cleaning it moves places."""
        assert self._book is not None
        text = self._book.text(leaf.start, leaf.end)
        headings = self._book.headings_in(leaf.start, leaf.end)
        marks = [(heading.start, heading.start + len(heading.title), HEADING) for heading in headings]
        marks.append((self._start, self._end, QUOTE))
        if self._found:
            marks.append((*self._found, FOUND))
        borders = {leaf.start, leaf.end}
        for start, end, _ in marks:
            borders |= {min(max(start, leaf.start), leaf.end), min(max(end, leaf.start), leaf.end)}
        cuts = sorted(borders)
        parts: list[tuple[str, str]] = []
        for start, end in pairwise(cuts):
            styles = [style for first, last, style in marks if first <= start and end <= last]
            parts.append((safe(text[start - leaf.start : end - leaf.start]), " ".join(styles)))
        return Content.assemble(*parts)

    def _hint(self, text: str = "") -> None:
        self.query_one("#hint", Static).update(text or HINT)
