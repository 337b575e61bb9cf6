"""Text selected with the mouse: which, across messages, and that it stays on its text."""

import pytest
from textual.pilot import Pilot

from app.chat.widgets.transcript import Transcript
from app.chat.widgets.transcript.offsets import word_at
from tests.app.chat.waiting import wait_until
from tests.app.chat.widgets.conversation import Reader, message, paragraphs, read, talk


async def drag(app: Reader, pilot: Pilot[None], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Selects with the mouse from one cell of the view to another, both included."""
    await pilot.mouse_down(Transcript, offset=start)
    await pilot.hover(Transcript, offset=((start[0] + end[0]) // 2, (start[1] + end[1]) // 2))
    await pilot.hover(Transcript, offset=end)
    await pilot.mouse_up(Transcript, offset=end)
    await pilot.pause()


TALK = [
    message(1, "first question"),
    message(2, "an answer\n\nwith two paragraphs"),
    message(3, "second question"),
    message(4, "the last answer"),
]


def test_a_part_of_a_line_is_selected() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        row = app.row_with("first question")
        await drag(app, pilot, (2 + 6, row), (2 + 13, row))
        assert app.screen.get_selected_text() == "question"

    read(TALK, scenario)


def test_a_selection_across_messages_names_their_authors_and_leaves_the_rest_of_headers_out() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        start, end = app.row_with("first question"), app.row_with("the last answer")
        await drag(app, pilot, (2 + 6, start), (2 + 7, end))
        assert app.screen.get_selected_text() == (
            "question\n\n"
            "Qwen2.5-7B-Instruct\nan answer\n\nwith two paragraphs\n\n"
            "You\nsecond question\n\n"
            "Qwen2.5-7B-Instruct\nthe last"
        )

    read(TALK, scenario)


def test_a_selection_upwards_is_the_same_as_downwards() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        start, end = app.row_with("an answer"), app.row_with("second question")
        await drag(app, pilot, (2, start), (2 + 6, end))
        downwards = app.screen.get_selected_text()
        await drag(app, pilot, (2 + 6, end), (2, start))
        assert app.screen.get_selected_text() == downwards
        assert downwards
        assert downwards.startswith("an answer")

    read(TALK, scenario)


def test_a_drag_from_the_margin_begins_with_the_line() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        row = app.row_with("an answer")
        await drag(app, pilot, (0, row), (2 + 8, row))
        assert app.screen.get_selected_text() == "an answer"

    read(TALK, scenario)


def test_wide_characters_are_selected_whole() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await drag(app, pilot, (2 + 2, 1), (2 + 4, 1))
        assert app.screen.get_selected_text() == "文字"

    read([message(1, "中文字符")], scenario)


def test_selected_text_is_highlighted_and_clearing_takes_that_away() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        row = app.row_with("first question")
        plain = app.transcript.render_line(row)
        await drag(app, pilot, (2 + 6, row), (2 + 13, row))
        selected = app.transcript.render_line(row)
        backgrounds = {s.text: s.style.bgcolor for s in selected if s.style is not None}
        assert backgrounds["question"] != backgrounds["first "]
        app.screen.clear_selection()
        await pilot.pause()
        assert app.transcript.render_line(row) == plain

    read(TALK, scenario)


def test_a_selection_stays_on_its_text_when_heights_above_change() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        row = app.row_with("m30p0")
        await drag(app, pilot, (2, row), (2 + 4, row))
        assert app.screen.get_selected_text() == "m30p0"
        scrolled = view.scroll_y
        for id in range(1, 20):
            view.change(message(id, "grown\n\n" * 30))
            view._places.measure(id - 1)
        view.change(message(1, "grown\n\n" * 30))
        await pilot.pause()
        assert view.scroll_y > scrolled
        assert app.row_with("m30p0") == row
        assert app.screen.get_selected_text() == "m30p0"
        assert [s.text for s in view.render_line(row)][1] == "m30p0"

    read([*talk(29), message(30, "m30p0 " + paragraphs(30))], scenario)


def test_a_selection_begun_while_text_arrives_holds_the_view() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(6, "", state="streaming"))
        view.append(6, "row\n\n" * 30)
        await wait_until(pilot, lambda: app.rows.count("row") > 10)
        row = app.row_with("row")
        await pilot.mouse_down(Transcript, offset=(2, row))
        await pilot.hover(Transcript, offset=(3, row))
        await pilot.hover(Transcript, offset=(4, row))
        before = app.rows
        view.append(6, "row\n\n" * 30)
        await wait_until(pilot, lambda: len(view._places.block(5).text.source) == 300)
        await pilot.pause()
        assert app.rows == before
        await pilot.mouse_up(Transcript, offset=(4, row))
        assert app.screen.get_selected_text() == "row"
        await pilot.press("end")
        assert view.following

    read(talk(5), scenario)


def test_a_selection_reaches_messages_that_are_not_in_view() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.text_select_all()
        await pilot.pause()
        text = app.screen.get_selected_text()
        assert text is not None
        assert all(f"m{id}p0" in text for id in range(1, 61))
        assert text.count("You") == 30

    read(talk(60), scenario)


def test_a_double_click_selects_the_word_and_a_third_the_message() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        row = app.row_with("with two paragraphs")
        await pilot.click(Transcript, offset=(2 + 6, row), times=2)
        await pilot.pause()
        assert app.screen.get_selected_text() == "two"
        await pilot.click(Transcript, offset=(2 + 6, row), times=3)
        await pilot.pause()
        assert app.screen.get_selected_text() == "an answer\n\nwith two paragraphs"

    read(TALK, scenario)


def test_another_chat_takes_the_selection_away() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await drag(app, pilot, (2, 1), (8, 1))
        assert app.screen.get_selected_text()
        app.transcript.show(app.path[:2])
        assert not app.screen.get_selected_text()

    read(TALK, scenario)


@pytest.mark.parametrize(
    ("text", "character", "word"), [("a b_c d", 3, "b_c"), ("a, b", 1, ","), ("ab", 0, "ab"), ("ab", 9, "")]
)
def test_a_word_is_letters_digits_and_underscores(text: str, character: int, word: str) -> None:
    assert text[slice(*word_at(text, character))] == word
