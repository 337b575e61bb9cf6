"""Words found in all messages of a path, counted, marked and scrolled to; the bar that asks for them."""

import asyncio
from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from app.chat.store.records import Message
from app.chat.widgets.find_bar import FindBar
from app.chat.widgets.transcript.finding import Finding
from tests.app.chat.waiting import wait_until
from tests.app.chat.widgets.conversation import Reader, message, read, stub, talk

TALK = [*talk(30), message(31, "A needle here and a Needle there"), *talk(90)[31:], message(91, "needle")]


def marked_text(app: Reader, attribute: str) -> list[str]:
    """Pieces of text in the view that have an attribute such as "underline"."""
    view = app.transcript
    return [
        segment.text
        for row in range(view.size.height)
        for segment in view.render_line(row)
        if segment.style is not None and getattr(segment.style, attribute)
    ]


def test_every_time_is_counted_and_visited_in_turn_and_around_the_end() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        find = app.transcript.find
        assert find("needle", 0) == (3, 3)
        assert find("needle", 1) == (1, 3)
        assert "A needle here and a Needle there" in app.rows
        assert find("needle", 1) == (2, 3)
        assert find("needle", 1) == (3, 3)
        assert find("needle", -1) == (2, 3)

    read(TALK, scenario)


def test_the_time_in_view_stands_out_from_the_others_without_colour() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.find("needle", 0)
        app.transcript.find("needle", 1)
        assert marked_text(app, "underline") == ["needle", "Needle"]
        assert marked_text(app, "reverse") == ["needle"]
        app.transcript.find("needle", 1)
        assert marked_text(app, "reverse") == ["Needle"]

    read(TALK, scenario)


def test_what_is_not_there_is_not_found_and_no_words_end_the_search() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.transcript.find("nowhere", 0) == (0, 0)
        app.transcript.find("needle", 0)
        assert app.transcript.find("", 0) == (0, 0)
        assert marked_text(app, "underline") == []

    read(TALK, scenario)


def test_words_are_found_across_the_ends_of_lines() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.transcript.find("alpha beta", 0) == (1, 1)
        assert marked_text(app, "underline") == ["alpha", "beta"]

    read([message(1, "alpha\nbeta")], scenario)


def test_a_hit_in_a_folded_message_unfolds_it() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "needle" not in app.rows
        app.transcript.find("needle", 0)
        assert "needle" in app.rows

    read([message(1, "first\n\nneedle")], scenario)


def test_text_that_was_written_since_is_found() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        assert view.find("needle", 0) == (0, 0)
        view.add(message(6, "", state="streaming"))
        view.append(6, "a needle")
        await wait_until(pilot, lambda: "a needle" in app.rows)
        assert view.find("needle", 0) == (1, 1)

    read(talk(5), scenario)


def test_the_search_stays_where_it_is_while_text_arrives() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(92, "", state="streaming"))
        view.find("needle", 0)
        assert view.find("needle", -1) == (2, 3)
        view.append(92, "another needle")
        await wait_until(pilot, lambda: "another needle" in view._places.source(91))
        assert view.find("needle", 1) == (3, 4)
        assert view.find("needle", 1) == (4, 4)

    read(TALK, scenario)


def test_ten_thousand_messages_are_fetched_together_once_and_none_is_rendered() -> None:
    texts = [f"message {number}" for number in range(10_000)]
    asked: list[int] = []

    def fetch(indices: Sequence[int]) -> list[str]:
        asked.append(len(indices))
        return [texts[index] for index in indices]

    finding = Finding(fetch, len(texts))
    finding.search("message 99")
    assert finding.total == 111
    finding.search("message 999")
    assert finding.total == 11
    finding.search("message 1")
    assert finding.total == 1111
    assert asked == [10_000, 0, 0]


def test_a_search_does_not_render_what_it_looks_through() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.loads.clear()
        assert app.transcript.find("text 77", 0)[1] == 111
        assert len(app.loads) <= 2 * app.transcript.size.height

    read([message(id, f"text {id}") for id in range(1, 10_001)], scenario)


def test_a_chat_opens_at_a_hit_with_its_words_marked() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.show(app.path, at=31, words="needle there")
        await pilot.pause()
        assert "A needle here and a Needle there" in app.rows
        assert marked_text(app, "underline") == ["needle", "Needle", "there"]
        assert app.transcript.current == 31

    read(TALK, scenario)


def test_a_hit_far_down_in_a_long_message_is_scrolled_to() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.show(app.path, at=1, words="needle")
        await pilot.pause()
        assert "needle" in app.rows

    read([message(1, "hay\n\n" * 200 + "needle\n\n" + "hay\n\n" * 200), message(2, "end")], scenario)


def test_a_version_appears_in_the_row_of_the_one_it_replaces() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        await pilot.press("pageup")
        view._show_place((19, 0), 7)
        await pilot.pause()
        before = app.rows
        other: Message = message(120, "another version\n\n" * 20, sibling=2, siblings=2)
        app.stored[120] = other
        view.show([*app.path[:19], stub(other)], at=120)
        await pilot.pause()
        assert app.rows[:7] == before[:7]
        assert app.rows[8] == "another version"

    read(talk(40), scenario)


# The bar.


class Bar(App[None]):
    """The bar alone, and what it asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []
        self.closed = 0

    def compose(self) -> ComposeResult:
        yield FindBar()

    def on_find_bar_asked(self, event: FindBar.Asked) -> None:
        self.asked.append((event.words, event.step))
        self.query_one(FindBar).tell(3, 17)

    def on_find_bar_closed(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(("key", "step"), [("enter", 1), ("down", 1), ("up", -1), ("shift+tab", -1)])
def test_keys_of_the_bar_step_through_what_was_found(key: str, step: int) -> None:
    async def play() -> None:
        app = Bar()
        async with app.run_test() as pilot:
            bar = app.query_one(FindBar)
            assert not bar.is_open
            bar.open()
            await pilot.press(*"ab")
            await wait_until(pilot, lambda: app.asked and app.asked[-1] == ("ab", 0))
            await pilot.press(key)
            await wait_until(pilot, lambda: app.asked[-1] == ("ab", step))
            assert str(app.query_one("#found").render()) == "3 of 17"

    asyncio.run(play())


def test_enter_right_after_typing_finds_before_it_steps() -> None:
    async def play() -> None:
        app = Bar()
        async with app.run_test() as pilot:
            bar = app.query_one(FindBar)
            bar.open()
            bar.query_one(Input).value = "quick"
            bar.action_step(1)
            await wait_until(pilot, lambda: app.asked)
            assert app.asked == [("quick", 0)]

    asyncio.run(play())


def test_escape_closes_the_bar_and_opening_again_searches_the_same_words() -> None:
    async def play() -> None:
        app = Bar()
        async with app.run_test() as pilot:
            bar = app.query_one(FindBar)
            bar.open()
            await pilot.press("a")
            await wait_until(pilot, lambda: app.asked)
            await pilot.press("escape")
            await wait_until(pilot, lambda: app.closed)
            assert not bar.is_open
            asked = len(app.asked)
            bar.open()
            await wait_until(pilot, lambda: app.asked[asked:] == [("a", 0)])

    asyncio.run(play())
