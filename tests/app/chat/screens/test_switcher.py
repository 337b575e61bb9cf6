"""The switcher: recent chats, searching while typing, and opening at the hit."""

import time
from typing import Any

import pytest
from textual.widgets import OptionList

from app.chat.options import Options
from app.chat.screens import switcher
from app.chat.screens.switcher import Switcher, marked
from app.chat.store import Store
from tests.app.chat.screens.host import Hand, box, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes, chat_about


def test_an_empty_box_lists_recent_chats_and_enter_goes_back_to_the_one_before(store: Store) -> None:
    first = chat_about(store, "Lease review", "Who pays?", "The landlord.")
    second = chat_about(store, "Poem", "Rhyme!", "No.")

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("• Poem", "Lease review")
        assert hand.text.index("Poem") < hand.text.index("Lease review")
        await hand.press("enter")
        assert await hand.result() == (first.id, None, "")

    show(Switcher(store, second.id), play)


def test_typing_searches_messages_and_enter_opens_at_the_hit(store: Store) -> None:
    chat = chat_about(store, "Lease", "Which clause ends it?", "Redevelopment, clause 14.")
    chat_about(store, "Poem", "Rhyme!", "No.")
    hit = store.path(chat.id)[1].id

    async def play(hand: Hand[Any]) -> None:
        await hand.type("redevel")
        await hand.sees("Redevelopment, clause 14.", "Qwen2", "1 found")
        assert "Poem" not in hand.text
        await hand.press("enter")
        assert await hand.result() == (chat.id, hit, "redevel")

    show(Switcher(store), play)


def test_enter_right_after_the_last_letter_opens_what_those_words_find(store: Store) -> None:
    """The search waits for a pause in typing; Enter must not open what was listed before it."""
    chat = chat_about(store, "Lease", "Which clause ends it?")
    chat_about(store, "Poem", "Rhyme!")
    hit = store.path(chat.id)[0].id

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "clause"
        await hand.press("enter")
        assert await hand.result() == (chat.id, hit, "clause")

    show(Switcher(store), play)


def test_a_title_that_holds_the_words_opens_the_chat_at_its_end(store: Store) -> None:
    chat = chat_about(store, "Lease review", "Hello")

    async def play(hand: Hand[Any]) -> None:
        await hand.type("review")
        await hand.sees("1 found")
        await hand.press("enter")
        assert await hand.result() == (chat.id, None, "review")

    show(Switcher(store), play)


def test_up_and_down_choose_while_the_box_keeps_the_focus(store: Store) -> None:
    chats = [chat_about(store, f"Chat {number}", "Hello") for number in range(3)]

    async def play(hand: Hand[Any]) -> None:
        await hand.press("down", "down", "up", "down")
        assert hand.app.focused is box(hand)
        await hand.press("enter")
        assert await hand.result() == (chats[0].id, None, "")

    show(Switcher(store), play)


def test_words_that_are_nowhere_say_so_and_enter_opens_nothing(store: Store) -> None:
    chat_about(store, "Lease", "Hello")

    async def play(hand: Hand[Any]) -> None:
        await hand.type("zebra")
        await hand.sees("nothing found")
        await hand.press("enter")
        assert not hand.closed
        await hand.press("escape")
        assert await hand.result() is None

    show(Switcher(store), play)


def test_an_empty_store_says_so(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("no chats yet")
        await hand.press("down", "enter", "escape")
        assert await hand.result() is None

    show(Switcher(store), play)


def test_typing_fast_searches_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    chat_about(store, "Lease", "Which clause ends it?")
    asked: list[str] = []
    real = Store.search

    def search(store: Store, query: str, limit: int = 50, chat: int | None = None) -> Any:
        asked.append(query)
        return real(store, query, limit, chat)

    monkeypatch.setattr(Store, "search", search)
    monkeypatch.setattr(switcher, "QUIET", 0.3)

    async def play(hand: Hand[Any]) -> None:
        await hand.type("clause")
        await hand.sees("1 found")
        assert asked == ["clause"]

    show(Switcher(store), play)


def test_the_preview_shows_the_hit_where_there_is_room_for_it(store: Store) -> None:
    long = "filler " * 300
    chat_about(store, "Lease", f"{long} the needle stands here {long}")

    async def wide(hand: Hand[Any]) -> None:
        await hand.type("needle")
        await hand.sees("the needle stands here", "You")
        assert hand.app.screen.query_one("#preview").display

    async def narrow(hand: Hand[Any]) -> None:
        await hand.type("needle")
        await hand.sees("1 found")
        assert not hand.app.screen.query_one("#preview").display

    show(Switcher(store), wide, (120, 40))
    show(Switcher(store), narrow, (80, 24))


def test_the_preview_of_a_chat_is_its_end(store: Store) -> None:
    chat_about(store, "Lease", "first words", "Answer one", "second", "the last answer")

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("the last answer")

    show(Switcher(store), play, (120, 40))


def test_a_message_that_is_gone_by_now_is_no_crash(store: Store) -> None:
    chat = chat_about(store, "Lease", "the needle")

    async def play(hand: Hand[Any]) -> None:
        await hand.type("needle")
        await hand.sees("1 found")
        store.delete_chat(chat.id)
        store.purge()
        await hand.press("down")
        hand.app.screen._show_preview()  # type: ignore[attr-defined]
        await hand.sees("no longer there")

    show(Switcher(store), play, (120, 40))


def test_hostile_titles_and_messages_are_only_text(store: Store) -> None:
    for text in HOSTILE:
        chat_about(store, text, f"needle {text}")

    async def play(hand: Hand[Any]) -> None:
        assert_nothing_escapes(hand.text)
        assert "[red]not markup" in hand.text
        await hand.type("needle")
        await hand.sees(f"{len(HOSTILE)} found")
        for _ in HOSTILE:
            hand.app.screen._show_preview()  # type: ignore[attr-defined]
            await hand.press("down")
            assert_nothing_escapes(hand.text)

    show(Switcher(store), play, (120, 40))


def test_found_words_are_marked_without_colour() -> None:
    content = marked("before \ue000hit\ue001 between \ue000two\ue001")
    assert content.plain == "before hit between two"
    assert [content.plain[span.start : span.end] for span in content.spans if span.style] == ["hit", "two"]
    assert all(span.style == "bold underline" for span in content.spans if span.style)


@pytest.mark.parametrize("snippet", ["\ue001", "\ue000", "\ue001\ue000", "a\ue000\ue000b\ue001\ue001", ""])
def test_marks_that_do_not_pair_are_no_crash(snippet: str) -> None:
    assert "\ue000" not in marked(snippet).plain
    assert "\ue001" not in marked(snippet).plain


def test_typing_stays_quick_with_many_messages(store: Store) -> None:
    """Ten thousand messages are measured in benchmarks; here a thousand show that nothing is quadratic."""
    chat = store.new_chat(Options(), "Many")
    parent = None
    for number in range(1000):
        parent = store.add_message(chat.id, parent, "user", f"message {number} about leases").id

    async def play(hand: Hand[Any]) -> None:
        begun = time.perf_counter()
        await hand.type("leases")
        await hand.sees("the 50 newest")
        assert time.perf_counter() - begun < 10
        assert hand.app.screen.query_one(OptionList).option_count == 50

    show(Switcher(store), play)
