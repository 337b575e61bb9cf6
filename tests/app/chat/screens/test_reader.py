"""The page reader: it opens at the quote, leafs, finds and goes, whatever the document holds."""

from pathlib import Path

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input, Static

from app.ask.documents.document import Document, Heading, Page
from app.ask.library import Library
from app.chat.screens.reader import Reader
from tests.app.chat.screens.host import Hand, show
from tests.app.chat.snapshot import assert_screen, picture, visible_text
from tests.app.chat.waiting import wait_until

QUOTE = "The code of Ab is 5."
PROSE = "\n".join(f"Sentence {number} says nothing of note." for number in range(40))


def book(place: Path, pages: list[str], headings: tuple[Heading, ...] = (), name: str = "report.pdf") -> int:
    """The id of a document of these pages in the library at `place`."""
    spans, at = [], 0
    for number, text in enumerate(pages, 1):
        spans.append(Page(number, at, at + len(text), label="ii" if number == 2 else ""))
        at += len(text)
    document = Document(name, "0", "pdf", "page", "".join(pages), tuple(spans), headings)
    with Library.open(place) as library:
        return library.add(document, None).id


def cited(place: Path, pages: list[str], quote: str = QUOTE, **more: object) -> Reader:
    """A reader that opens where `quote` stands."""
    file = book(place, pages, **more)  # type: ignore[arg-type]
    start = "".join(pages).index(quote)
    return Reader(place, file, start, start + len(quote), quote)


def where(reader: Reader) -> str:
    return str(reader.query_one("#where", Static).render())


def hint(reader: Reader) -> str:
    return str(reader.query_one("#hint", Static).render())


async def shown(pilot: Pilot, text: str) -> None:
    await wait_until(pilot, lambda: text in visible_text(pilot.app))


PAGES = [PROSE + "\n", f"{PROSE}\n{QUOTE}\n{PROSE}\n", "The end.\n"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "library.sqlite"


def test_it_opens_at_the_quote_and_marks_it(place: Path) -> None:
    reader = cited(place, PAGES, headings=(Heading(0, 1, "Codes"), Heading(30, 2, "Of Ab")))

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        assert where(reader) == "report.pdf · page 2 (ii) of 3"
        assert "Codes › Of Ab" in visible_text(hand.app)
        assert " reverse" in picture(hand.app) or "\nA reverse" in picture(hand.app)

    show(reader, play)


def test_n_and_p_leaf_and_say_where_the_document_ends(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        await hand.pilot.press("n")
        await shown(hand.pilot, "The end.")
        assert reader.position == "page 3 of 3"
        await hand.pilot.press("n")
        assert hint(reader) == "this is the last page"
        await hand.pilot.press("p", "p")
        assert reader.position == "page 1 of 3"
        await hand.pilot.press("p")
        assert hint(reader) == "this is the first page"
        await hand.pilot.press("c")
        await shown(hand.pilot, QUOTE)

    show(reader, play)


def test_space_reads_on_over_the_end_of_a_page(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        for _ in range(20):
            await hand.pilot.press("space")
            if reader.position == "page 3 of 3":
                break
        await shown(hand.pilot, "The end.")
        await hand.pilot.press("pageup")
        await wait_until(hand.pilot, lambda: reader.position == "page 2 (ii) of 3")
        page = reader.query_one("#page", VerticalScroll)
        await wait_until(hand.pilot, lambda: page.scroll_y == page.max_scroll_y > 0)

    show(reader, play)


def test_find_goes_from_place_to_place_and_round(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        await hand.pilot.press("slash", *"THE", "space", *"end", "enter")
        await wait_until(hand.pilot, lambda: reader.position == "page 3 of 3")
        await hand.pilot.press("enter")
        await wait_until(hand.pilot, lambda: "searching" not in hint(reader))
        assert reader.position == "page 3 of 3"
        box = reader.query_one("#find", Input)
        box.value = "nowhere at all"
        await hand.pilot.press("enter")
        await wait_until(hand.pilot, lambda: hint(reader) == "not found")
        box.value = ""
        await hand.pilot.press("enter")
        assert hint(reader) == "type a word to find"
        await hand.pilot.press("escape")
        assert not box.has_class("-asked")
        assert hand.app.screen is reader

    show(reader, play)


def test_g_goes_to_a_page_and_knows_which_there_are(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        await hand.pilot.press("g", "9", "enter")
        assert hint(reader) == "there is no page 9"
        reader.query_one("#go", Input).value = "1"
        await hand.pilot.press("enter")
        await wait_until(hand.pilot, lambda: reader.position == "page 1 of 3")
        await hand.pilot.press("n")
        assert reader.position == "page 2 (ii) of 3"

    show(reader, play)


def test_escape_leaves(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        await hand.pilot.press("escape")
        await wait_until(hand.pilot, lambda: hand.app.screen is not reader)

    show(reader, play)


def test_a_document_that_was_removed_is_one_clear_line(place: Path) -> None:
    book(place, PAGES)
    reader = Reader(place, 99, 0, 10, QUOTE)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, "this document is no longer in the library")
        await hand.pilot.press("n", "p", "slash", "g", "c", "space", "pageup", "home")
        await hand.pilot.press("escape")
        await wait_until(hand.pilot, lambda: hand.app.screen is not reader)

    show(reader, play)


def test_a_document_is_data_and_no_orders_to_the_terminal(place: Path) -> None:
    hostile = "\x1b[31mred\x1b]0;title\x07 [b]bold[/b] \u202egnp.exe\n" + QUOTE + "\x9b2J\n"
    reader = cited(place, [hostile, "x"], name="a\x1b[2J[red].pdf", headings=(Heading(0, 1, "[b]\x1b[1m"),))

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        text = visible_text(hand.app)
        assert "[31mred]0;title [b]bold[/b] gnp.exe" in text
        assert "a[2J[red].pdf" in text
        assert not any(sign in text for sign in "\x1b\x07\x9b\u202e")

    show(reader, play)


def test_a_place_that_is_a_little_off_is_put_right(place: Path) -> None:
    file = book(place, PAGES)
    start = "".join(PAGES).index(QUOTE)
    reader = Reader(place, file, start + 7, start + 9, QUOTE)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        assert (reader._start, reader._end) == (start, start + len(QUOTE))

    show(reader, play)


@pytest.mark.parametrize(("start", "end"), [(-5, -1), (10**9, 10**9 + 5), (5, 2)])
def test_places_outside_of_the_text_do_no_harm(place: Path, start: int, end: int) -> None:
    reader = Reader(place, book(place, PAGES), start, end, "not there")

    async def play(hand: Hand[None]) -> None:
        await wait_until(hand.pilot, lambda: reader.position)
        await hand.pilot.press("n", "p", "c")
        assert reader.position

    show(reader, play)


def test_a_plain_text_is_read_in_stretches_of_lines(place: Path, tmp_path: Path) -> None:
    text = "\n".join(f"Line {number} of a long text." for number in range(1, 3001))
    with Library.open(place) as library:
        document = Document("a.txt", "0", "text", "line", text, (Page(1, 0, len(text)),))
        file = library.add(document, None).id
    reader = Reader(place, file, text.index("Line 2000 "), text.index("Line 2001 "))

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, "Line 2000 of")
        assert reader.position.endswith(" of 3,000")
        await hand.pilot.press("g", *"2500", "enter")
        await shown(hand.pilot, "Line 2500 of")

    show(reader, play)


def test_a_reader_looks_as_it_should(place: Path) -> None:
    reader = cited(place, PAGES, headings=(Heading(0, 1, "Codes"), Heading(30, 2, "Of Ab")))

    async def play(hand: Hand[None]) -> None:
        hand.app.theme = "textual-dark"
        await shown(hand.pilot, QUOTE)
        await hand.pilot.pause()
        assert_screen(hand.pilot, "reader-80x24")

    show(reader, play)


def test_scrolling_stays_on_the_page(place: Path) -> None:
    reader = cited(place, PAGES)

    async def play(hand: Hand[None]) -> None:
        await shown(hand.pilot, QUOTE)
        await hand.press("j", "k", "down", "up", "home", "end")
        page = reader.query_one("#page", VerticalScroll)
        await wait_until(hand.pilot, lambda: page.scroll_y == page.max_scroll_y)
        assert reader.position == "page 2 (ii) of 3"

    show(reader, play)
