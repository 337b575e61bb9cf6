"""With NO_COLOR what is chosen, what has the focus and what was changed can still be told."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.chat.options import Options
from app.chat.screens.chat_settings import ChatSettings
from app.chat.screens.confirm import Confirm
from app.chat.screens.trash import Trash
from app.chat.store import Store
from tests.app.chat.screens.host import Hand, show
from tests.app.chat.screens.sample import chat_about


@pytest.fixture(autouse=True)
def no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def reversed_text(hand: Hand[Any]) -> str:
    """What stands on the screen in reverse, and nothing in a colour."""
    found = []
    for strip in hand.app.screen._compositor.render_strips():
        for segment in strip:
            if segment.style is None:
                continue
            for colour in (segment.style.color, segment.style.bgcolor):
                triplet = colour.triplet if colour is not None else None
                assert triplet is None or len(set(triplet)) == 1, f"{segment.text!r} is coloured"
            if segment.style.reverse:
                found.append(segment.text)
    return "".join(found)


def test_the_chosen_row_is_reversed(store: Store) -> None:
    for title in ("Alpha", "Beta"):
        store.delete_chat(chat_about(store, title, "Hello").id)

    async def play(hand: Hand[Any]) -> None:
        assert "Beta" in reversed_text(hand)
        await hand.press("down")
        await hand.until(lambda: "Alpha" in reversed_text(hand))
        assert "Beta" not in reversed_text(hand)

    show(Trash(store), play)


def test_the_button_with_the_focus_is_reversed() -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.until(lambda: reversed_text(hand).strip() == "No")
        await hand.press("tab")
        await hand.until(lambda: reversed_text(hand).strip() == "Delete")

    show(Confirm("Sure?", "Delete"), play)


def test_what_is_wrong_and_what_was_changed_have_signs(store: Store) -> None:
    session: Any = SimpleNamespace(model=None)

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("* temperature", "! top p must be", "[auto]")
        reversed_text(hand)

    show(ChatSettings(Options(sampling={"temperature": 1.0, "top_p": 5}), session, store), play)
