"""Every key of the transcript, what clicks do, and what headers say."""

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from app.chat.keys import keys_of
from app.chat.store.records import Generation, State
from app.chat.widgets.transcript import Transcript
from tests.app.chat.waiting import wait_until
from tests.app.chat.widgets.conversation import Reader, citation, message, read, talk

SHORT = [message(id, f"text {id}") for id in range(1, 7)]

CODE = "First\n\n```python\nx = 1\n```\n\nSecond\n\n```sh\nls -l\necho\n```\n"


def test_the_mark_goes_from_message_to_message_and_is_a_bar() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.transcript.current == 6
        for key, current in (("k", 5), ("up", 4), ("j", 5), ("down", 6), ("j", 6), ("g", 1), ("k", 1)):
            await pilot.press(key)
            assert app.transcript.current == current
            assert app.marked[1] == f"text {current}"
        await pilot.press("G")
        assert app.transcript.current == 6

    read(SHORT, scenario)


def test_nothing_is_marked_while_the_focus_is_elsewhere() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.screen.set_focus(None)
        await pilot.pause()
        assert app.marked == []

    read(SHORT, scenario)


def test_a_message_taller_than_the_view_is_paged_through_before_the_next() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("g")
        seen = set(app.rows)
        for _ in range(4):
            await pilot.press("j")
            seen |= set(app.rows)
        assert app.transcript.current == 1
        assert {f"line {number}" for number in range(48)} <= seen
        await pilot.press("j")
        assert app.transcript.current == 2
        for _ in range(6):
            await pilot.press("k")
        assert app.transcript.current == 1
        assert app.rows[0].startswith("You")

    tall = message(1, "\n\n".join(f"line {number}" for number in range(50)))
    read([tall, *SHORT[1:]], scenario)


@pytest.mark.parametrize(("down", "up"), [("space", "pageup"), ("pagedown", "pageup")])
def test_pages_overlap_and_take_the_mark_along(down: str, up: str) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("g")
        before = app.rows
        await pilot.press(down)
        assert app.rows[:2] == before[-2:]
        assert app.transcript.current != 1
        assert app.marked
        await pilot.press(up)
        assert app.rows == before

    read(talk(40), scenario)


def test_no_key_acts_on_a_message_that_was_scrolled_out_of_sight() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        for line in (view.scroll_y - 30, 0, 20):
            view.scroll_to(y=line)
            await pilot.press("d")
            asked = app.posted[-1]
            assert isinstance(asked, Transcript.Action)
            assert app.marked
            assert view._is_visible(view._places.index[asked.message])
        view.scroll_to(y=view.max_scroll_y)
        await pilot.pause()
        view.add(message(41, "mine"))
        view.add(message(42, "an answer"))
        assert view.current == 42

    read(talk(40), scenario)


@pytest.mark.parametrize("keys", [("g", "G"), ("home", "end")])
def test_first_and_last(keys: tuple[str, str]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press(keys[0])
        assert app.transcript.top == (0, 0)
        assert app.transcript.current == 1
        await pilot.press(keys[1])
        assert app.transcript.following
        assert app.transcript.current == 40

    read(talk(40), scenario)


ASKED = {
    "e": ("edit", 0),
    "r": ("retry", 0),
    "c": ("resume", 0),
    "d": ("delete", 0),
    "u": ("undo", 0),
    "b": ("branches", 0),
    "left_square_bracket": ("sibling", -1),
    "right_square_bracket": ("sibling", 1),
}


@pytest.mark.parametrize("key", ASKED)
def test_a_key_asks_the_app_about_the_marked_message(key: str) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("k", key)
        (asked,) = app.posted
        assert isinstance(asked, Transcript.Action)
        assert (asked.name, asked.step, asked.message) == (*ASKED[key], 5)

    read(SHORT, scenario)


def test_in_an_empty_chat_only_the_chat_itself_can_be_asked_about() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        for key in keys_of("transcript"):
            for name in key.keys.split(","):
                await pilot.press(name)
        assert [
            (asked.name, asked.message) for asked in app.posted if isinstance(asked, Transcript.Action)
        ] == [
            ("undo", 0),
            ("branches", 0),
        ]
        assert any("Ask something below" in row for row in app.rows)

    read([], scenario)


def test_y_copies_the_message_as_it_was_written() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("k", "y")
        assert app.clipboard == "one\ntwo **three**"
        (copied,) = app.posted
        assert isinstance(copied, Transcript.Copied)
        assert (copied.text, copied.what) == (app.clipboard, "message")

    read([message(1, "one\ntwo **three**"), message(2, "answer")], scenario)


def test_shift_y_copies_the_only_code_block_at_once() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("Y")
        assert app.clipboard == "x = 1"

    read([message(1, "q"), message(2, CODE.split("Second")[0])], scenario)


@pytest.mark.parametrize("keys", [["2"], ["down", "enter"]])
def test_shift_y_asks_which_of_several_code_blocks(keys: list[str]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("Y")
        await wait_until(pilot, lambda: app.screen.query(OptionList) and app.screen.focused)
        await pilot.press(*keys)
        await wait_until(pilot, lambda: app.posted)
        assert app.clipboard == "ls -l\necho"

    read([message(1, "q"), message(2, CODE)], scenario)


def test_escape_leaves_the_choice_of_code_blocks_without_copying() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("Y")
        await wait_until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("7", "escape")
        await wait_until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.clipboard == ""
        assert app.posted == []

    read([message(1, "q"), message(2, CODE)], scenario)


def test_o_opens_the_citations_of_a_message_in_turn() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("o", "o", "o")
        opened = [
            (each.message, each.number) for each in app.posted if isinstance(each, Transcript.CitationOpened)
        ]
        assert opened == [(2, 1), (2, 3), (2, 1)]

    cited = message(2, "Breach [1] and more [3].", citations=(citation(1), citation(3)))
    read([message(1, "q"), cited], scenario)


def test_a_chosen_citation_is_scrolled_to_and_stands_out() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.select_citation(2, 1)
        await pilot.pause()
        row = app.row_with("Breach [1]")
        styles = [segment.style for segment in view.render_line(row) if segment.text == "[1]"]
        assert styles
        assert styles[0] is not None
        assert styles[0].reverse

    cited = message(2, "Breach [1].\n\n" + "more\n\n" * 40, citations=(citation(1),))
    read([message(1, "q"), cited], scenario)


def test_enter_folds_and_unfolds_and_the_header_stays_in_place() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("g")
        before = app.rows
        await pilot.press("enter")
        assert app.rows[:3] == [before[0].replace("▾", "▸"), before[1], "… 2 more lines"]
        await pilot.press("enter")
        assert app.rows == before

    read([message(1, "one\n\ntwo"), *SHORT[1:]], scenario)


def test_folding_a_message_whose_header_is_above_the_view_shows_its_header() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("g", "j", "enter")
        assert app.rows[0].startswith("You")
        assert "more lines" in app.rows[2]

    read([message(1, "line\n\n" * 60), *SHORT[1:]], scenario)


# The mouse.


async def click(app: Reader, pilot: Pilot[None], text: str, times: int = 1) -> None:
    """Clicks on the first character of a text in the view."""
    row = app.row_with(text)
    drawn = app.transcript.render_line(row).text
    await pilot.click(Transcript, offset=(drawn.index(text), row), times=times)
    await pilot.pause()


def test_a_click_on_a_citation_asks_for_its_page() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await click(app, pilot, "[3]")
        (opened,) = app.posted
        assert isinstance(opened, Transcript.CitationOpened)
        assert (opened.message, opened.number) == (2, 3)

    read([message(1, "q"), message(2, "more [3].", citations=(citation(3),))], scenario)


def test_a_click_on_a_link_opens_nothing_by_itself() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await click(app, pilot, "the page")
        (opened,) = app.posted
        assert isinstance(opened, Transcript.LinkOpened)
        assert opened.url == "https://example.org/x"

    read([message(1, "q"), message(2, "see [the page](https://example.org/x) there")], scenario)


def test_the_arrows_of_the_header_go_to_the_siblings() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await click(app, pilot, "›")
        await click(app, pilot, "‹")
        assert [(each.message, each.step) for each in app.posted if isinstance(each, Transcript.Action)] == [
            (2, 1),
            (2, -1),
        ]

    read([message(1, "q"), message(2, "a", sibling=2, siblings=3)], scenario)


def test_a_click_on_a_header_marks_and_takes_the_keys_but_one_on_text_does_not() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.screen.set_focus(None)
        await click(app, pilot, "text 3")
        assert app.transcript.current == 6
        assert not app.transcript.has_focus
        await click(app, pilot, "You")
        assert app.transcript.current == 1
        assert app.transcript.has_focus

    read(SHORT, scenario)


def test_a_click_on_the_sign_of_a_header_folds_and_one_on_the_rest_unfolds() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        before = app.rows
        await click(app, pilot, "▾")
        assert app.rows[2] == "… 2 more lines"
        await click(app, pilot, "… 2 more")
        assert app.rows == before

    read([message(1, "one\n\ntwo"), *SHORT[1:]], scenario)


# Headers.


def test_a_header_says_who_how_fast_which_version_and_when() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        head = app.rows[3]
        for part in ("Qwen2.5-7B-Instruct", "63 tok/s · 318 tokens", "‹ 2/3 ›", ":"):
            assert part in head
        assert app.rows[0].startswith("You ")

    read([message(1, "q"), message(2, "a", sibling=2, siblings=3)], scenario)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("stopped", "· stopped"),
        ("interrupted", "· interrupted"),
        ("length", "· cut at its longest length"),
        ("error", "· error"),
        ("streaming", "· writing"),
        ("complete", "63 tok/s"),
    ],
)
def test_what_became_of_an_answer_is_said_in_words(state: State, words: str) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert words in app.rows[3]
        assert ("error: out of memory" in app.rows) == (state == "error")

    error = "out of memory" if state == "error" else ""
    read([message(1, "q"), message(2, "a", state=state, error=error)], scenario)


def test_a_long_error_is_wrapped() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.rows[5:7] == ["error: out of memory while", "reading the model"]

    error = "out of memory\twhile reading the model"
    read([message(1, "q"), message(2, "a", state="error", error=error)], scenario, (32, 12))


def test_a_remark_takes_the_place_of_the_speed_and_goes_again() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.describe(2, "read 53 of 122 windows")
        await pilot.pause()
        assert "read 53 of 122 windows" in app.rows[3]
        app.transcript.describe(2, "")
        assert "63 tok/s" in app.rows[3]

    read([message(1, "q"), message(2, "a")], scenario)


def test_control_characters_and_turned_text_of_names_and_errors_reach_no_terminal() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.describe(2, "note\x1b[31m\u202e")
        assert not {"\x1b", "\x07", "\u202e"} & set("".join(app.rows))

    made = Generation(model="a\u202e\x1bb")
    answer = message(2, "a\x1b]0;x", state="error", error="bad\x1b[2J\u202e", generation=made)
    read([message(1, "q\x07"), answer], scenario)


@pytest.mark.parametrize("width", [3, 20, 30, 46, 80])
def test_a_header_fits_any_width(width: int) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        assert all(view.render_line(row).cell_length == width - 1 for row in range(view.size.height))
        assert width < 20 or "2/3" in "".join(app.rows)

    read([message(1, "q"), message(2, "a", state="length", sibling=2, siblings=3)], scenario, (width, 12))


def test_line_breaks_of_questions_are_kept_also_around_code() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.rows[1:3] == ["one", "two"]
        await pilot.press("Y")
        assert app.clipboard == "a\nb"

    read([message(1, "one\ntwo\n\n```\na\nb\n```")], scenario)
