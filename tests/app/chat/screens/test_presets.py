"""Presets: save these settings under a name, load and remove them."""

from typing import Any

from app.chat.options import Options, Setup
from app.chat.screens.presets import Presets
from app.chat.store import Store
from tests.app.chat.screens.host import Hand, buttons, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes

COLD = Options(setup=Setup("tiny"), system="Be brief.", sampling={"temperature": 0.0})


def test_settings_are_saved_under_a_name_and_loaded(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("no presets yet")
        await hand.type("Cold")
        await hand.press("enter")
        await hand.sees("Cold", "temperature 0.0", "“Be brief.”")
        await hand.press("enter")
        preset = await hand.result()
        assert (preset.name, preset.options) == ("Cold", COLD)

    show(Presets(store, COLD), play)


def test_a_name_that_exists_is_replaced_only_after_a_question(store: Store) -> None:
    store.save_preset("Cold", Options())

    async def play(hand: Hand[Any]) -> None:
        await hand.press("s")
        await hand.type("Cold")
        await hand.press("enter")
        await hand.sees("Replace the preset “Cold”?")
        await hand.press("n")
        assert store.presets()[0].options == Options()
        await hand.press("enter")
        await hand.sees("Sure?")
        await hand.press("y")
        await hand.until(lambda: store.presets()[0].options == COLD)

    show(Presets(store, COLD), play)


def test_removing_asks_and_every_button_is_reached(store: Store) -> None:
    store.save_preset("Cold", COLD)

    async def play(hand: Hand[Any]) -> None:
        assert buttons(hand) == {"load", "save", "remove"}
        await hand.tab_to("save")
        await hand.press("enter")
        assert hand.problem == "! the name is empty; type one"
        await hand.tab_to("remove")
        await hand.press("enter")
        await hand.sees("Sure?")
        await hand.press("y")
        await hand.sees("no presets yet")
        assert buttons(hand) == {"save"}
        await hand.press("escape")
        assert await hand.result() is None

    show(Presets(store, COLD), play)


def test_hostile_presets_are_only_text(store: Store) -> None:
    for text in HOSTILE:
        store.save_preset(text, Options(system=text, sampling={"stop": [text]}))

    async def play(hand: Hand[Any]) -> None:
        assert_nothing_escapes(hand.text)

    show(Presets(store, COLD), play)
