"""The documents of the chat: what is attached, what asking costs, what was read, what is cited."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from app.chat.documents.items import Item
from app.chat.documents.price import count_text
from app.chat.keys import bindings_of
from app.chat.screens.text import line, span_text
from app.chat.store.records import Citation, Reading
from app.chat.store.records import Message as ChatMessage
from app.chat.widgets.citations import Citations
from app.chat.widgets.heat_strip import HeatStrip

#: Documents that have a line of their own at most, on a high and on a low screen.
MOST_LINES, FEW_LINES = 6, 3
LOW = 32

TITLE = "documents"
KEYS = "← → part   n p citation   enter open"

NOTHING = "no documents; @ in the prompt or /attach FILE attaches one"


class DocPanel(Vertical, can_focus=True):
    """Keys move through the strip and through the citations; Enter opens what was moved to last."""

    class OpenPage(Message):
        """Characters `start` to `end` of a file are to be shown."""

        def __init__(self, file: int, start: int, end: int, quote: str = "") -> None:
            super().__init__()
            self.file, self.start, self.end, self.quote = file, start, end, quote

    class CitationChosen(Message):
        """The mark of citation `number` in an answer is to be shown."""

        def __init__(self, message: int, number: int) -> None:
            super().__init__()
            self.message, self.number = message, number

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("documents")]

    DEFAULT_CSS = """
    DocPanel {
        height: auto;
        max-height: 50%;
        border-top: solid $panel;
        border-title-color: $text-muted;
        padding: 0 1;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        &:focus { border-top: solid $primary; }
        & > Static { height: auto; }
        & > #price { color: $text-muted; max-height: 2; }
        &.-low.-cited > #price { max-height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & > #dropped { color: $text-muted; display: none; }
        & > #dropped.-told { display: block; }
        & > Citations { height: auto; max-height: 8; display: none; background: $background; }
        &.-low > Citations { max-height: 4; }
        & > Citations.-any { display: block; }
        & > HeatStrip { display: none; }
        & > HeatStrip.-any { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: tuple[Item, ...] = ()
        self._message: int | None = None
        self._best_so_far = False
        self._looked_at = ""
        self._on_strip = True  # what Enter opens

    def on_mount(self) -> None:
        self.border_title = TITLE

    def on_focus(self) -> None:
        self.border_title = f"{TITLE}: {KEYS}"

    def on_blur(self) -> None:
        self.border_title = TITLE

    def compose(self) -> ComposeResult:
        yield Static(NOTHING, id="items", markup=False)
        yield Static(id="price", markup=False)
        yield HeatStrip(id="strip")
        yield Citations(id="citations")
        yield Static(id="dropped", markup=False)

    # What is shown.

    def show_items(self, items: Sequence[Item], price: str) -> None:
        """The documents as they are now, and what asking about them costs.

        Where they are all others, what was read and cited belongs to another chat and goes.
        """
        before, files = _files(self._items), _files(items)
        if before and not before & files:
            self.show_readings((), fresh=True)
            self.show_citations(0, (), best_so_far=False)
        self._items = tuple(items)
        self._draw_items()
        self.query_one("#price", Static).update(line(price))
        self._strip.show_documents([item for item in items if item.stored is not None])
        self._strip.set_class(bool(self._strip.heat.items), "-any")
        self._say_title()

    def show_readings(self, readings: Sequence[Reading], fresh: bool) -> None:
        """Windows that were read for the answer that is shown; all there are where `fresh`."""
        self._looked_at = ""
        self._strip.show_readings(readings, fresh)
        self._say_title()

    def show_citations(
        self, message: int, citations: Sequence[Citation], best_so_far: bool, dropped: int = 0
    ) -> None:
        """What an answer rests on; `dropped` quotes were located nowhere and are not among them."""
        self._message, self._best_so_far = message, best_so_far
        self._cited.show_citations(citations)
        self._cited.set_class(bool(citations), "-any")
        self.set_class(bool(citations), "-cited")
        self._strip.show_citations(citations, best_so_far)
        told = self.query_one("#dropped", Static)
        told.update(_dropped_text(dropped))
        told.set_class(dropped > 0, "-told")
        self._say_title()

    def show_answer(self, message: ChatMessage, readings: Sequence[Reading]) -> None:
        """All about a finished answer: what was read for it, what it rests on, what was left out."""
        document = message.document or {}
        dropped = document.get("dropped", 0)
        self.show_readings(readings, fresh=True)
        self._looked_at = _looked_at_text(document.get("coverage"))
        self.show_citations(message.id, message.citations, False, dropped if isinstance(dropped, int) else 0)

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < LOW, "-low")
        self._draw_items()

    # Keys.

    def action_next_cell(self) -> None:
        self._move_strip(1)

    def action_previous_cell(self) -> None:
        self._move_strip(-1)

    def action_next_citation(self) -> None:
        self._cited.move(1)

    def action_previous_citation(self) -> None:
        self._cited.move(-1)

    def action_open_page(self) -> None:
        """The page of the citation or of the cell that was moved to last."""
        chosen = self._cited.chosen
        if (chosen is not None and not self._on_strip) or (not self._strip.open() and chosen is not None):
            self._open_citation(chosen)

    def _move_strip(self, step: int) -> None:
        self._on_strip = True
        self._strip.move(step)

    # What the parts say.

    def on_citations_chosen(self, event: Citations.Chosen) -> None:
        event.stop()
        citation = self._cited.citations[event.index]
        self._on_strip = False
        self._strip.put(citation.file, citation.start)
        if event.opened:
            self._open_citation(citation)
        elif self._message is not None:
            self.post_message(self.CitationChosen(self._message, citation.number))

    def on_heat_strip_opened(self, event: HeatStrip.Opened) -> None:
        event.stop()
        self._on_strip = True
        self.post_message(self.OpenPage(event.file, event.start, event.end))

    def _open_citation(self, citation: Citation) -> None:
        self.post_message(self.OpenPage(citation.file, citation.start, citation.end, citation.quote))

    # Drawing.

    @property
    def _strip(self) -> HeatStrip:
        return self.query_one("#strip", HeatStrip)

    @property
    def _cited(self) -> Citations:
        return self.query_one("#citations", Citations)

    def _draw_items(self) -> None:
        most = MOST_LINES if self.app.size.height >= LOW else FEW_LINES
        shown = self._items if len(self._items) <= most else self._items[: most - 1]
        lines = [_item_line(item) for item in shown]
        if rest := self._items[len(shown) :]:
            lines.append(Content(_rest_text(rest)))
        self.query_one("#items", Static).update(Content("\n").join(lines) if lines else NOTHING)

    def _say_title(self) -> None:
        heat = self._strip.heat
        parts = []
        if len(heat.items) == 1 and heat.items[0].starts:
            parts.append(f"{heat.items[0].unit}s 1 to {heat.items[0].pages:,}")
        if heat.readings:
            parts.append(f"{len(heat.readings):,} windows read")
        else:
            parts.append(self._looked_at or "nothing read window by window")
        if self._best_so_far:
            parts.append("best so far")
        self._strip.show_title(" · ".join(parts))


def _files(items: Sequence[Item]) -> set[int | None]:
    """The documents that are open."""
    return {item.file for item in items if item.stored is not None}


def _item_line(item: Item) -> Content:
    """ "✓ report.pdf  1,840 pages  412k tokens", "… report.pdf  reading 12 of 300, 0:40 left", "! x: why"."""
    name = line(item.name)
    match item.state:
        case "ready":
            said = [f"{item.pages:,} {item.unit}{'' if item.pages == 1 else 's'}"]
            if item.tokens:
                said.append(f"{count_text(item.tokens)} tokens")
            if item.stage:
                said.append(_stage_text(item))
            said += [f"! {line(warning)}" for warning in item.warnings]
            return Content.assemble("✓ ", (name, "bold"), ("  " + " · ".join(said), "dim"))
        case "opening":
            return Content.assemble("… ", (name, "bold"), ("  " + (_stage_text(item) or "opening"), "dim"))
        case "refused":
            return Content.assemble(("! ", "bold"), line(item.note) or name)


def _stage_text(item: Item) -> str:
    """ "reading 12 of 300, 0:40 left"; of what is counted in characters the share."""
    if not item.stage:
        return ""
    if item.stage == "indexing" and item.total:
        said = f"indexing {100 * item.done // item.total} %"
    elif item.total:
        said = f"{item.stage} {item.done:,} of {item.total:,}"
    else:
        said = item.stage
    return said if item.left is None else f"{said}, {span_text(item.left)} left"


def _rest_text(rest: Sequence[Item]) -> str:
    """ "and 14 more: 12 ready, 1 being opened, 1 refused"."""
    words = {"ready": "ready", "opening": "being opened", "refused": "refused"}
    counts = {said: sum(item.state == state for item in rest) for state, said in words.items()}
    return f"and {len(rest):,} more: " + ", ".join(f"{n:,} {said}" for said, n in counts.items() if n)


def _looked_at_text(coverage: object) -> str:
    """ "1,200 of 30.2k tokens looked at", as the store keeps the coverage of an answer; "" unknown."""
    match coverage:
        case {"tokens": int(tokens), "tokens_read": int(read)} if tokens:
            return f"{count_text(read)} of {count_text(tokens)} tokens looked at"
    return ""


def _dropped_text(dropped: int) -> str:
    quotes = "1 quote was" if dropped == 1 else f"{dropped:,} quotes were"
    return f"{quotes} not found in the documents and left out"
