"""The trash: what was deleted comes back, or goes for good after a question."""

from pathlib import Path
from typing import Any

import pytest

from app.chat.screens.trash import Trash
from app.chat.store import Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.screens.host import Hand, buttons, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes, chat_about


def test_a_deleted_chat_and_a_deleted_message_come_back(store: Store) -> None:
    gone = chat_about(store, "Poem", "Rhyme!")
    chat = chat_about(store, "Lease", "Who pays?", "The landlord.")
    answer = store.path(chat.id)[1].id
    store.delete_message(answer)
    store.delete_chat(gone.id)

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("chat", "Poem", "answer", "The landlord.")
        await hand.press("r")
        await hand.until(lambda: "Poem" not in hand.text)
        await hand.press("enter")
        await hand.sees("the trash is empty")
        await hand.press("escape")
        assert await hand.result() is True

    show(Trash(store), play)
    assert store.trash() == []
    assert {chat.title for chat in store.chats()} == {"Poem", "Lease"}
    assert store.path(chat.id)[-1].id == answer


def test_purging_asks_first_and_no_keeps_it(store: Store) -> None:
    store.delete_chat(chat_about(store, "Poem", "Rhyme!").id)
    store.delete_chat(chat_about(store, "Lease", "Pay!").id)

    async def play(hand: Hand[Any]) -> None:
        await hand.press("x")
        await hand.sees("Sure?", "“Lease”", "cannot be undone")
        await hand.press("n")
        await hand.until(lambda: "Sure?" not in hand.text)
        assert len(store.trash()) == 2
        await hand.press("delete")
        await hand.sees("Sure?")
        await hand.press("y")
        await hand.until(lambda: len(store.trash()) == 1)
        await hand.sees("Poem")

    show(Trash(store), play)


def test_emptying_asks_once_for_all(store: Store) -> None:
    for title in "abc":
        store.delete_chat(chat_about(store, title, "Hello").id)

    async def play(hand: Hand[Any]) -> None:
        await hand.press("e")
        await hand.sees("all 3 things")
        await hand.press("y")
        await hand.sees("the trash is empty")
        await hand.press("escape")
        assert await hand.result() is True

    show(Trash(store), play)
    assert store.trash() == []


def test_every_button_is_reached_by_tab(store: Store) -> None:
    store.delete_chat(chat_about(store, "Poem", "Rhyme!").id)

    async def play(hand: Hand[Any]) -> None:
        assert buttons(hand) == {"restore", "purge", "all"}
        for button in ("all", "purge"):
            await hand.tab_to(button)
            await hand.press("enter")
            await hand.sees("Sure?")
            await hand.press("escape")
        await hand.tab_to("restore")
        await hand.press("enter")
        await hand.sees("the trash is empty")
        assert buttons(hand) == set()

    show(Trash(store), play)


def test_an_empty_trash_takes_no_key_amiss(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("the trash is empty")
        await hand.press("r", "x", "e", "enter", "down", "escape")
        assert await hand.result() is False

    show(Trash(store), play)


def test_a_store_that_refuses_says_why(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.delete_chat(chat_about(store, "Poem", "Rhyme!").id)

    def refuse(store: Store, id: int) -> None:
        raise Qwen2Error("the file can only be read; update this program")

    monkeypatch.setattr(Store, "restore_chat", refuse)

    async def play(hand: Hand[Any]) -> None:
        await hand.press("r")
        assert hand.problem == "! the file can only be read; update this program"
        await hand.press("escape")
        assert await hand.result() is False

    show(Trash(store), play)


def test_hostile_titles_are_only_text(store: Store, tmp_path: Path) -> None:
    for text in HOSTILE:
        store.delete_chat(chat_about(store, text, text).id)
        store.delete_message(store.path(chat_about(store, "t", text).id)[0].id)

    async def play(hand: Hand[Any]) -> None:
        assert_nothing_escapes(hand.text)
        await hand.press("x")
        assert_nothing_escapes(hand.text)

    show(Trash(store), play)
