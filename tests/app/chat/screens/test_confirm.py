"""A question before something cannot be taken back: no is the easy answer."""

from typing import Any

import pytest

from app.chat.screens.confirm import Confirm
from tests.app.chat.screens.host import Hand, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["enter"], False),
        (["tab", "enter"], True),
        (["right", "enter"], True),
        (["right", "left", "enter"], False),
    ],
)
def test_each_key_answers(keys: list[str], answer: bool) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.press(*keys)
        assert await hand.result() is answer

    show(Confirm("Delete it?", "Delete"), play)


def test_a_hostile_question_is_only_text() -> None:
    async def play(hand: Hand[Any]) -> None:
        assert "[red]not" in hand.text
        assert_nothing_escapes(hand.text)

    show(Confirm(" ".join(HOSTILE)), play)
