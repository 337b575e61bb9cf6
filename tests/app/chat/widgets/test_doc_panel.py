"""The panel of documents: items, price, strip and citations, by keys and by mouse, in any width."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from app.ask.library import File
from app.chat.documents.items import Item
from app.chat.store.records import Citation, Reading
from app.chat.store.records import Message as ChatMessage
from app.chat.widgets.citations import Citations
from app.chat.widgets.doc_panel import DocPanel
from app.chat.widgets.heat_strip import HeatStrip
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes
from tests.app.chat.snapshot import assert_screen, visible_text
from tests.app.chat.waiting import wait_until

PRICE = "412k tokens · whole: no (needs 38 GB) · search about 2 s · read everything about 11 min"


class Host(App[None]):
    """A panel and what it posted."""

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"
        self.posted: list[Message] = []

    def compose(self) -> ComposeResult:
        yield DocPanel()

    def on_mount(self) -> None:
        self.theme = "textual-dark"
        self.panel.focus()

    @property
    def panel(self) -> DocPanel:
        return self.query_one(DocPanel)

    @property
    def strip(self) -> HeatStrip:
        return self.query_one(HeatStrip)

    @property
    def cited(self) -> Citations:
        return self.query_one(Citations)

    def on_doc_panel_open_page(self, event: DocPanel.OpenPage) -> None:
        self.posted.append(event)

    def on_doc_panel_citation_chosen(self, event: DocPanel.CitationChosen) -> None:
        self.posted.append(event)

    @property
    def opened(self) -> list[tuple[int, int, int, str]]:
        return [
            (event.file, event.start, event.end, event.quote)
            for event in self.posted
            if isinstance(event, DocPanel.OpenPage)
        ]

    @property
    def chosen(self) -> list[tuple[int, int]]:
        return [
            (event.message, event.number)
            for event in self.posted
            if isinstance(event, DocPanel.CitationChosen)
        ]


Scenario = Callable[[Host, Pilot[None]], Awaitable[None]]


def play(scenario: Scenario, size: tuple[int, int] = (100, 30)) -> None:
    async def run() -> None:
        app = Host()
        async with app.run_test(size=size) as pilot:
            await wait_until(pilot, lambda: app.panel.has_focus)
            await scenario(app, pilot)

    asyncio.run(run())


def item(file: int = 1, name: str = "report.pdf", characters: int = 184_000, **values: object) -> Item:
    stored = File(file, name, f"/{name}", "s", "pdf", "page", characters, ())
    starts = tuple(range(0, characters, 1000))
    return Item(-file, name, "ready", stored, pages=len(starts), starts=starts, tokens=46_000, **values)  # type: ignore[arg-type]


def citation(
    number: int, start: int, match: str = "exact", score: float = 100.0, quote: str = ""
) -> Citation:
    quote = quote or f"This is quote number {number}."
    place = f"page {start // 1000 + 1}"
    return Citation(number, 1, "s", "docs/report.pdf", place, start, start + 30, quote, match, score)  # type: ignore[arg-type]


def windows(count: int = 122, of: int = 122) -> list[Reading]:
    step = 184_000 // of
    return [Reading(1, at * step, (at + 1) * step, float((7 * at) % 19) - 9) for at in range(count)]


CITATIONS = (citation(1, 40_200), citation(2, 120_500, "fuzzy", 93.4))


def fill(app: Host) -> None:
    app.panel.show_items([item()], PRICE)
    app.panel.show_readings((), fresh=True)
    app.panel.show_readings(windows(53), fresh=False)
    app.panel.show_citations(9, CITATIONS, best_so_far=True, dropped=2)


async def seen(app: Host, pilot: Pilot[None], *words: str) -> str:
    await wait_until(pilot, lambda: all(word in visible_text(app) for word in words))
    return visible_text(app)


def test_an_empty_panel_says_how_to_fill_it() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await seen(app, pilot, "no documents; @ in the prompt or /attach FILE attaches one")
        await pilot.press("left", "right", "enter", "n", "p")
        assert app.posted == []

    play(scenario)


def test_every_state_of_a_document_is_told_in_words() -> None:
    items = [
        item(),
        Item(-2, "long.pdf", "opening", None, "reading", 12, 300, 40.0),
        Item(-3, "b.txt", "opening", None, "indexing", 30_000, 90_000),
        Item(-4, "new.txt", "opening"),
        Item(-5, "bad.pdf", "refused", note="bad.pdf is a picture; run text recognition on it first"),
    ]

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items(items, PRICE)
        await seen(
            app,
            pilot,
            "✓ report.pdf  184 pages · 46.0k tokens",
            "… long.pdf  reading 12 of 300, 0:40 left",
            "… b.txt  indexing 33 %",
            "… new.txt  opening",
            "! bad.pdf is a picture",
            "read everything about 11 min",
        )

    play(scenario, (100, 40))


def test_warnings_of_a_document_are_shown() -> None:
    stored = File(1, "a.pdf", "/a.pdf", "s", "pdf", "page", 10, ("pages 3-4 have no text layer (scans?)",))

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([Item(-1, "a.pdf", "ready", stored, pages=1, starts=(0,))], "")
        await seen(app, pilot, "1 page · ! pages 3-4 have no text layer (scans?)")

    play(scenario)


def test_many_documents_take_few_lines() -> None:
    items = [item(number, f"{number}.txt") for number in range(1, 400)]
    items.append(Item(-999, "x", "refused", note="x: no"))

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items(items, PRICE)
        text = await seen(app, pilot, "and 398 more: 397 ready, 1 refused")
        assert "3.txt" not in text.split("and 398")[0]

    play(scenario, (80, 24))


def test_the_strip_shows_what_was_read_by_density_too() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        text = await seen(app, pilot, "pages 1 to 184 · 53 windows read · best so far")
        cells = next(line for line in text.splitlines() if "█" in line)
        assert all(sign in cells for sign in "░▒▓█·")
        ticks = text.splitlines()[text.splitlines().index(cells) + 1]
        assert ticks.index("1") / len(cells) == pytest.approx(40_200 / 184_000, abs=0.02)
        assert ticks.index("2") / len(cells) == pytest.approx(120_500 / 184_000, abs=0.02)
        assert "↑" in ticks

    play(scenario)


def test_the_mark_of_what_is_being_read_goes_with_the_final_answer() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await seen(app, pilot, "↑")
        app.panel.show_citations(9, CITATIONS, best_so_far=False)
        await wait_until(
            pilot, lambda: "↑" not in visible_text(app) and "best so far" not in visible_text(app)
        )

    play(scenario)


def test_arrows_walk_over_the_cells_and_enter_opens_the_page() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await seen(app, pilot, "█")
        await pilot.press("right")
        best = await seen(app, pilot, "most relevant (score +9.0)")
        assert "page" in best
        cell = app.strip.cursor
        assert cell is not None
        await pilot.press("left")
        assert app.strip.cursor == cell - 1
        await pilot.press("right", "enter")
        await wait_until(pilot, lambda: app.opened)
        ((file, start, end, quote),) = app.opened
        width = app.strip.size.width
        assert (file, quote) == (1, "")
        assert app.strip.heat.cell_of(1, start, width) == cell
        assert end - start <= 184_000 // width + 1

    play(scenario)


def test_the_cursor_stays_on_the_strip_and_describes_what_was_not_read() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await seen(app, pilot, "█")
        for _ in range(120):
            await pilot.press("right")
        await seen(app, pilot, "page 183 to 184 · not read".replace("page ", "pages "))
        assert app.strip.cursor == app.strip.size.width - 1

    play(scenario)


def test_n_and_p_walk_through_the_citations_and_the_answer_follows() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await pilot.press("n")
        await wait_until(pilot, lambda: app.chosen == [(9, 1)])
        assert app.strip.description.startswith("pages 40 to 42 · ")
        assert "cited [1]" in app.strip.description
        await pilot.press("n", "n", "p")
        await wait_until(pilot, lambda: app.chosen == [(9, 1), (9, 2), (9, 2), (9, 1)])
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.opened == [(1, 40_200, 40_230, "This is quote number 1.")])

    play(scenario)


def test_citations_say_how_they_were_found_and_how_many_were_not() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        text = await seen(
            app,
            pilot,
            "[1] report.pdf, page 41",
            "[2] report.pdf, page 121",
            '"This is quote number 2."',
            "fuzzy 93 %",
            "2 quotes were not found in the documents and left out",
        )
        assert text.count("exact") == 1

    play(scenario)


def test_the_chosen_citation_stays_chosen_when_a_better_answer_comes() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await pilot.press("n", "n")
        await wait_until(pilot, lambda: app.cited.chosen == CITATIONS[1])
        better = (citation(1, 120_500, "fuzzy", 93.4), citation(2, 7_000))
        app.panel.show_citations(9, better, best_so_far=True)
        assert app.cited.chosen == better[0]
        app.panel.show_citations(9, (citation(1, 7_000),), best_so_far=False)
        assert app.cited.chosen is None

    play(scenario)


def test_a_click_on_a_cell_opens_it_and_on_a_citation_chooses_it_first() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await seen(app, pilot, "[1] report.pdf")
        await pilot.click(HeatStrip, offset=(10, 1))
        await wait_until(pilot, lambda: len(app.opened) == 1)
        assert app.strip.heat.cell_of(1, app.opened[0][1], app.strip.size.width) == 10
        await pilot.click(Citations, offset=(5, 2))
        await wait_until(pilot, lambda: app.chosen == [(9, 2)])
        await pilot.click(Citations, offset=(5, 2))
        await wait_until(pilot, lambda: len(app.opened) == 2)
        assert app.opened[1] == (1, 120_500, 120_530, "This is quote number 2.")

    play(scenario)


def test_what_was_read_is_shown_once_its_document_is_open_again() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([Item(-1, "report.pdf", "opening")], "")
        app.panel.show_readings(windows(53), fresh=True)
        app.panel.show_citations(9, CITATIONS, best_so_far=False)
        app.panel.show_items([item()], PRICE)
        text = await seen(app, pilot, "53 windows read", "[1] report.pdf", "█")
        assert "2" in next(line for line in text.splitlines() if line.strip().startswith("1 "))

    play(scenario)


def test_the_documents_of_another_chat_take_the_old_answer_away() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await seen(app, pilot, "[1] report.pdf", "53 windows read")
        app.panel.show_items([item(), item(2, "more.pdf")], PRICE)
        await seen(app, pilot, "[1] report.pdf", "53 windows read", "more.pdf")
        app.panel.show_items([item(3, "other.pdf")], PRICE)
        await wait_until(pilot, lambda: "[1]" not in visible_text(app))
        await seen(app, pilot, "other.pdf", "nothing read window by window")

    play(scenario)


def test_a_finished_answer_is_shown_with_all_that_belongs_to_it() -> None:
    message = ChatMessage(
        9, 1, None, 0, "assistant", "It is 5 [1].", "complete", "", None, 0.0, 0.0, None, 1, 1,
        None, {"status": "found", "dropped": 1}, CITATIONS[:1],
    )  # fmt: skip

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        app.panel.show_answer(message, windows())
        await seen(app, pilot, "122 windows read", "1 quote was not found in the documents and left out")
        assert app.cited.citations == CITATIONS[:1]

    play(scenario)


@pytest.mark.parametrize("size", [(20, 8), (40, 12), (80, 24), (200, 60), (3, 3)])
def test_it_can_be_drawn_in_any_size(size: tuple[int, int]) -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await pilot.press("right", "n", "enter")
        await wait_until(pilot, lambda: visible_text(app))
        await pilot.resize_terminal(60, 20)
        await wait_until(pilot, lambda: "report.pdf" in visible_text(app))

    play(scenario, size)


def test_an_answer_that_a_search_found_says_how_much_it_looked_at() -> None:
    message = ChatMessage(
        9, 1, None, 0, "assistant", "It is 5 [1].", "complete", "", None, 0.0, 0.0, None, 1, 1,
        None, {"coverage": {"tokens": 30_200, "tokens_read": 1_234}}, CITATIONS[:1],
    )  # fmt: skip

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([item()], PRICE)
        app.panel.show_answer(message, ())
        await seen(app, pilot, "1.2k of 30.2k tokens looked at")
        await pilot.press("n")
        await seen(app, pilot, "pages 40 to 42 · cited [1]")

    play(scenario)


def test_the_focus_is_seen_without_colours_too() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await seen(app, pilot, "documents: ← → part   n p citation   enter open")
        app.set_focus(None)
        await wait_until(pilot, lambda: "enter open" not in visible_text(app))

    play(scenario)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_and_quotes_are_only_text(text: str) -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([item(name=text), Item(-2, text, "refused", note=text)], text)
        app.panel.show_citations(9, (citation(1, 5, quote=text),), best_so_far=False)
        await pilot.press("n")
        await wait_until(pilot, lambda: app.chosen)
        assert_nothing_escapes(visible_text(app))

    play(scenario)


def test_a_document_of_a_few_characters_has_a_cell_for_each() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([item(characters=5)], "")
        await wait_until(pilot, lambda: app.strip.cells == 5)
        cells = []
        for key in ["right"] * 6 + ["left"] * 6:
            await pilot.press(key)
            cells.append(app.strip.cursor)
        assert cells == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0, 0]

    play(scenario)


def test_readings_of_other_documents_and_items_without_text_do_no_harm() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([item(characters=0)], "")
        app.panel.show_readings([Reading(7, 0, 10, 1.0)], fresh=False)
        app.panel.show_citations(9, CITATIONS, best_so_far=False)
        await pilot.press("right", "enter", "n", "enter")
        await wait_until(pilot, lambda: app.opened)

    play(scenario)


def test_two_thousand_windows_are_drawn_cheaply() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.panel.show_items([item(characters=4_000_000)], PRICE)
        app.panel.show_readings((), fresh=True)
        begun = time.process_time()
        for at in range(2000):
            app.panel.show_readings([Reading(1, 2000 * at, 2000 * at + 2000, float(at % 19))], fresh=False)
            app.strip.render_line(1)
        assert time.process_time() - begun < 5.0  # some 0.4 s
        await seen(app, pilot, "2,000 windows read")

    play(scenario, (160, 40))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_panel_looks_as_it_should(size: tuple[int, int]) -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        fill(app)
        await pilot.press("n")
        await seen(app, pilot, "[2] report.pdf", "cited [1]")
        await pilot.pause()
        assert_screen(app, f"documents-{size[0]}x{size[1]}")

    play(scenario, size)
