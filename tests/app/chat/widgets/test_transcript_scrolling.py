"""What stays where it is on the screen, and what is fetched and kept for it."""

import pytest
from rich.color import Color
from textual.pilot import Pilot

from app.chat.store.records import Message
from app.chat.widgets.transcript import Transcript
from app.chat.widgets.transcript.layout import BLOCKS_KEPT, SCREENS_KEPT
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.waiting import wait_until
from tests.app.chat.widgets.conversation import Reader, message, paragraphs, read, stub, talk

MANY = 10_000


def test_a_chat_opens_at_its_end() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.rows[-2:] == ["the end", ""]
        assert app.transcript.following

    read([*talk(40), message(41, paragraphs(41) + "\n\nthe end")], scenario)


def test_a_short_conversation_begins_at_the_top() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.rows[0].startswith("You")
        assert app.rows[1] == "hello"
        assert app.transcript.scroll_y == 0

    read([message(1, "hello")], scenario)


def test_ten_thousand_messages_open_with_a_screenful_of_loads() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        rows = app.transcript.size.height
        assert 0 < len(app.loads) <= rows
        assert min(app.loads) > MANY - rows
        assert app.transcript._places.rendered_blocks <= rows

    read([message(id, f"text {id}") for id in range(1, MANY + 1)], scenario)


def test_scrolling_back_moves_every_line_by_as_much_while_heights_become_true() -> None:
    """Estimates are wrong on purpose: what was above the view must come into it line by line."""

    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        for step in (3, 1, 7, 2, 22, 5) * 4:
            before = app.rows
            view.scroll_to(y=view.scroll_y - step)
            await pilot.pause()
            assert app.rows[step:] == before[:-step]

    read(talk(60), scenario)


def test_scrolling_on_after_a_jump_moves_every_line_by_as_much() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.scroll_to(y=view.max_scroll_y // 2)
        await pilot.pause()
        for step in (3, -2, 9, -15, 4):
            before = app.rows
            view.scroll_to(y=view.scroll_y + step)
            await pilot.pause()
            if step > 0:
                assert app.rows[:-step] == before[step:]
            else:
                assert app.rows[-step:] == before[:step]

    read(talk(200), scenario)


def test_a_change_above_the_view_leaves_the_view_where_it_is() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.scroll_to(y=view.scroll_y - 10)
        await pilot.pause()
        before, scrolled = app.rows, view.scroll_y
        view.change(message(2, "much longer\n\n" * 50))
        view._places.measure(1)
        view.change(message(2, "much longer\n\n" * 50))
        await pilot.pause()
        assert app.rows == before
        assert view.scroll_y > scrolled

    read(talk(30), scenario)


def test_rendered_messages_are_bounded_however_far_the_reader_goes() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        most = 0
        for _ in range(30):
            await pilot.press("pageup")
            most = max(most, app.transcript._places.rendered_blocks)
        assert most <= max(BLOCKS_KEPT, SCREENS_KEPT * app.transcript.size.height // 3 + BLOCKS_KEPT)

    read(talk(300), scenario)


def test_a_thousand_switches_between_chats_keep_what_is_rendered_bounded() -> None:
    first, second = talk(50), [message(id, paragraphs(id, 1)) for id in range(1001, 1051)]

    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        for turn in range(1000):
            app.transcript.show([stub(each) for each in (first, second)[turn % 2]])
        await pilot.pause()
        assert app.transcript._places.rendered_blocks <= 24 + BLOCKS_KEPT
        assert len(app.transcript._notes) == 0

    read(first, lambda app, pilot: (app.stored.update({m.id: m for m in second}), scenario(app, pilot))[1])


@pytest.mark.parametrize("size", [(60, 24), (110, 24), (80, 12), (40, 40)])
def test_a_resize_keeps_the_text_of_the_top_line(size: tuple[int, int]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        text = app.stored[1].content
        view.scroll_to(y=40)
        await pilot.pause()
        first = next(word for word in app.rows[0].split() if word.startswith("w"))
        await pilot.resize_terminal(*size)
        await wait_until(pilot, lambda: view.size.height == size[1])
        assert first in app.rows[0]
        assert first in text

    numbered = message(1, " ".join(f"w{number}" for number in range(2000)))
    read([numbered, message(2, "short")], scenario)


def test_a_resize_at_the_end_stays_at_the_end() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.resize_terminal(50, 12)
        await wait_until(pilot, lambda: app.transcript.size.height == 12)
        assert app.transcript.following
        assert app.rows[-2].endswith("the end")

    read([*talk(20), message(21, "word " * 100 + "the end")], scenario)


def test_wide_characters_are_never_cut_and_lines_fill_the_view() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        for row in range(view.size.height):
            assert view.render_line(row).cell_length == view.scrollable_size.width
        assert "".join(app.rows[1:-1]).endswith("日本語🙂" * 50)

    read([message(1, "中文字" * 20), message(2, "日本語🙂" * 70)], scenario, (41, 24))


# Following.


def test_the_view_follows_what_is_written_while_the_reader_is_at_the_end() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(4, "", state="streaming"))
        for number in range(40):
            view.append(4, f"line {number}\n\n")
        await wait_until(pilot, lambda: "line 39" in app.rows)
        assert view.following

    read(talk(3), scenario)


def test_the_view_does_not_move_while_the_reader_is_elsewhere_and_end_resumes() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(6, "", state="streaming"))
        view.append(6, "start\n\n" * 40)
        await wait_until(pilot, lambda: "start" in app.rows)
        view.scroll_to(y=view.scroll_y - 5)
        await pilot.pause()
        before = app.rows
        view.append(6, "more\n\n" * 40)
        await wait_until(pilot, lambda: view._places.heights.total > view.scroll_y + 60)
        assert app.rows == before
        view.change(message(6, "start\n\n" * 40 + "more\n\n" * 40))
        await pilot.pause()
        assert app.rows == before
        await pilot.press("end")
        assert "more" in app.rows
        assert view.following

    read(talk(5), scenario)


def test_scrolling_to_the_end_follows_again() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        await pilot.press("pageup")
        assert not view.following
        await pilot.press("pagedown")
        assert view.following

    read(talk(20), scenario)


def test_what_changes_while_the_transcript_is_hidden_is_there_when_it_is_shown() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        await pilot.press("g")
        view.display = False
        await pilot.pause()
        view.show([stub(each) for each in talk(40)])
        view.display = True
        await wait_until(pilot, lambda: view.size.height)
        await pilot.pause()
        assert view.following
        assert view.scroll_y == view.max_scroll_y > 0
        assert view.top[0] > 30

    read(talk(40), scenario)


def test_the_view_does_not_move_when_an_answer_ends() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(2, "", state="streaming"))
        text = "- one\n- two\n\nA *last* word.\n\n" * 12
        view.append(2, text)
        await wait_until(pilot, lambda: "A last word." in app.rows)
        before = app.rows
        view.change(message(2, text))
        await pilot.pause()
        assert app.rows == before

    read(talk(1), scenario)


def test_the_readers_own_message_is_always_shown() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("g")
        app.transcript.add(message(21, "what I just asked"))
        await pilot.pause()
        assert "what I just asked" in app.rows

    read(talk(20), scenario)


def test_a_text_of_two_thousand_tokens_ends_as_a_fresh_drawing_does() -> None:
    whole = "".join(
        f"## Part {number}\n\nSome *prose* with `code`.\n\n- item\n- item\n\n| a | b |\n|---|---|\n"
        f"| {number} | 2 |\n\n```python\nx = {number}\n```\n\n"
        for number in range(40)
    )
    pieces = [whole[at : at + 2] for at in range(0, len(whole), 2)]
    assert len(pieces) >= 2000

    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(2, "", state="streaming"))
        for number, piece in enumerate(pieces):
            view.append(2, piece)
            if number % 200 == 0:
                await pilot.pause()
        view.change(message(2, whole))
        await pilot.pause()
        streamed = app.rows, list(view._places.block(1).text.lines(77)), view._places.heights[1]
        app.stored[2] = message(2, whole)
        view.show([])
        view.show(app.path)
        await pilot.pause()
        fresh = app.rows, list(view._places.block(1).text.lines(77)), view._places.heights[1]
        assert fresh == streamed

    read(talk(1), scenario)


def test_text_that_comes_in_pieces_is_drawn_at_most_25_times_a_second() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(2, "", state="streaming"))
        writes: list[int] = []
        append = view._places.append
        view._places.append = lambda place, text: (writes.append(len(text)), append(place, text))[1]
        for _ in range(100):
            view.append(2, "ab")
        await wait_until(pilot, lambda: sum(writes) == 200)
        assert len(writes) <= 2

    read(talk(1), scenario)


def test_text_that_comes_after_the_end_of_an_answer_is_not_added() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(2, "", state="streaming"))
        view.append(2, "said")
        view.change(message(2, "said", state="stopped"))
        view.append(2, " too late")
        await pilot.pause(0.1)
        assert "said" in app.rows

    read(talk(1), scenario)


def test_a_message_that_another_window_removed_says_so() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        def gone(id: int) -> Message:
            raise Qwen2Error("this message is not there any more; open its chat again")

        app.transcript._places._load = gone
        app.transcript.show([stub(message(7, "gone"))])
        assert "error: this message is not there any more; open its chat again" in app.rows

    read(talk(1), scenario)


def colour_of(view: Transcript, row: int) -> Color | None:
    """The colour of the first words of a row."""
    segment = next(segment for segment in view.render_line(row) if segment.text.strip())
    return segment.style.color if segment.style is not None else None


def test_other_colours_change_no_line_and_no_position() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view._show_place((10, 0), 5)
        await pilot.pause()
        before, names = app.rows, {colour_of(view, 5)}
        for theme in ("textual-light", "ansi-dark"):
            app.theme = theme
            await pilot.pause()
            await pilot.pause()
            assert app.rows == before
            names.add(colour_of(view, 5))
        assert len(names) == 3

    read([*talk(20), message(21, "x")], scenario)


def test_without_colour_every_mark_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        assert app.no_color
        assert app.marked
        app.transcript.find("word", 0)
        underlined = [
            segment.text
            for row in range(24)
            for segment in app.transcript.render_line(row)
            if segment.style is not None and segment.style.underline
        ]
        assert "word" in underlined

    read(talk(20), scenario)


def test_only_changed_rows_are_drawn_while_text_arrives() -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        view = app.transcript
        view.add(message(2, "", state="streaming"))
        view.append(2, "first paragraph\n\nsecond")
        await wait_until(pilot, lambda: "second" in app.rows)
        await pilot.pause()
        refreshed: list[tuple[int, int]] = []
        refresh = view.refresh

        def spy(*regions, **options):
            refreshed.extend((region.y, region.height) for region in regions)
            refreshed.extend([] if regions else [(0, view.size.height)])
            return refresh(*regions, **options)

        view.refresh = spy
        view.append(2, " one")
        await wait_until(pilot, lambda: "second one" in app.rows)
        view.refresh = refresh
        assert refreshed == [(app.row_with("second one"), 1)]

    read([message(1, "question")], scenario)
