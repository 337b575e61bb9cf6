"""The settings of a chat: what is marked, what is refused, presets, and what applying costs."""

from types import SimpleNamespace
from typing import Any

import pytest
from textual.widgets import Input, Static, TextArea

from app.chat.options import Options, Setup
from app.chat.screens import fields
from app.chat.screens.chat_settings import ChatSettings
from app.chat.screens.field_rows import MARK, Row
from app.chat.store import Store
from tests.app.chat.screens.host import Hand, buttons, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes

NO_MODEL = SimpleNamespace(model=None)
SET = Options(
    setup=Setup("tiny", "yarn", "8", 32_000_000_000),
    system="Be brief.\nBe kind.",
    sampling={
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 20,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "max_tokens": 500,
        "seed": 7,
        "stop": ["\n\n", "a\\b", "two words"],
    },
    context=98304,
    mode="read",
    max_time=330.0,
)


def settings(
    options: Options, store: Store, session: Any = NO_MODEL, usual: Options | None = None
) -> ChatSettings:
    return ChatSettings(options, session, store, usual)


def row(hand: Hand[Any], name: str) -> Row:
    return hand.app.screen.query_one(f"#row-{name}", Row)


def fill(hand: Hand[Any], name: str, text: str) -> None:
    row(hand, name).query_one(Input).value = text


def label(hand: Hand[Any], name: str) -> str:
    return str(row(hand, name).query_one(".row-label", Static).render())


def problem_of(hand: Hand[Any], name: str) -> str:
    told = row(hand, name).query_one(".row-problem", Static)
    return str(told.render()) if told.display else ""


def marked_rows(hand: Hand[Any]) -> set[str]:
    return {each.key for each in hand.app.screen.query(Row) if label(hand, each.key).startswith(MARK)}


@pytest.mark.parametrize("options", [Options(), SET, Options(sampling={"temperature": 0.0, "seed": 0})])
def test_applying_without_a_change_gives_the_same_options(store: Store, options: Options) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.press("ctrl+s")
        assert await hand.result() == options

    show(settings(options, store), play)


def test_every_value_can_be_typed(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        row(hand, "system").query_one(TextArea).text = "Be brief.\nBe kind."
        for name, text in {
            "temperature": "0.7",
            "top_p": "0.9",
            "top_k": "20",
            "min_p": "0.05",
            "repetition_penalty": "1.1",
            "max_tokens": "500",
            "seed": "7",
            "context": "96k",
            "memory_limit": "32GB",
            "max_time": "5m30s",
        }.items():
            fill(hand, name, text)
        row(hand, "stop").query_one(TextArea).text = "\\n\\n\na\\\\b\ntwo words"
        for name, presses in {"rope": 2, "kv_bits": 2, "mode": 3}.items():
            hand.app.screen.set_focus(row(hand, name).query_one("Choice"))
            await hand.press(*["right"] * presses)
        await hand.press("ctrl+s")
        assert await hand.result() == SET

    show(settings(Options(), store), play)


def test_the_keyboard_alone_changes_a_value(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.type("0.5")
        await hand.press("tab")
        await hand.type("0.9")
        await hand.press("enter")
        assert (await hand.result()).sampling == {"temperature": 0.5, "top_p": 0.9}

    show(settings(Options(), store), play)


def test_values_that_are_not_the_usual_ones_are_marked_by_a_sign(store: Store) -> None:
    usual = Options(sampling={"temperature": 0.7}, context=4096)

    async def play(hand: Hand[Any]) -> None:
        assert marked_rows(hand) == {"context", "rope"}
        fill(hand, "temperature", "0.8")
        await hand.until(lambda: "temperature" in marked_rows(hand))
        fill(hand, "temperature", "0.7")
        await hand.until(lambda: "temperature" not in marked_rows(hand))

    options = Options(setup=Setup(rope="dca"), sampling={"temperature": 0.7}, context=8192)
    show(settings(options, store, usual=usual), play)


IMPOSSIBLE = (
    ("temperature", "-1", "must be at least 0, not -1"),
    ("temperature", "warm", "must be a number, not 'warm'"),
    ("temperature", "nan", "must be a finite number"),
    ("temperature", "1e999", "must be a finite number"),
    ("top_p", "0", "must be above 0 and at most 1"),
    ("top_k", "1.5", "must be a whole number"),
    ("min_p", "1", "must be at least 0 and below 1"),
    ("repetition_penalty", "0", "must be above 0"),
    ("max_tokens", "0", "must be at least 1"),
    ("seed", "18446744073709551616", "must be from 0 to 18446744073709551615"),
    ("seed", "9" * 5000, "must be"),
    ("context", "32 pages", "must be a number of tokens such as 32K"),
    ("context", "0", "must be from 1"),
    ("context", "999999999M", "must be from 1"),
    ("memory_limit", "much", "is no size"),
    ("max_time", "soon", "must be a time such as 90s"),
    ("max_time", "0", "must be a time"),
    ("temperature", "[red]\x1b", "must be a number"),
)


def test_a_value_that_cannot_be_is_told_at_its_row_and_not_applied(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        for name, text, words in IMPOSSIBLE:
            fill(hand, name, text)
            await hand.until(lambda name=name, words=words: words in problem_of(hand, name))
            assert problem_of(hand, name).startswith("! ")
            await hand.press("ctrl+s")
            assert not hand.closed
            assert hand.app.focused is row(hand, name).query_one(Input)
            assert_nothing_escapes(hand.text)
            fill(hand, name, "")
        await hand.press("ctrl+s")
        assert await hand.result() == Options()

    show(settings(Options(), store), play)


def test_stop_strings_with_an_unknown_escape_are_refused(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        row(hand, "stop").query_one(TextArea).text = "\\d"
        await hand.until(lambda: "means nothing" in problem_of(hand, "stop"))
        await hand.press("ctrl+s", "escape")
        assert await hand.result() is None

    show(settings(Options(), store), play)


@pytest.mark.parametrize("stops", [["\n"], ["\\n"], ["a\tb", "\r\n"], ["\x0b|\u2028"], ["  "], ["\\"]])
def test_stop_strings_are_read_as_they_are_written(stops: list[str]) -> None:
    assert fields.stop_strings(fields.stop_text(stops)) == stops


@pytest.mark.parametrize("count", [1, 1000, 1024, 1536, 32768, 98304, 2**20, 3 * 2**20 + 1])
def test_lengths_are_read_as_they_are_written(count: int) -> None:
    assert fields.context_tokens(fields.context_text(count)) == count


@pytest.mark.parametrize("count", [1.0, 59.0, 60.0, 330.0, 3600.0, 86399.0])
def test_times_are_read_as_they_are_written(count: float) -> None:
    assert fields.seconds(fields.seconds_text(count)) == count


@pytest.mark.parametrize("count", [1, 999, 1000, 32_000_000_000, 17_179_869_184])
def test_sizes_are_read_as_they_are_written(count: int) -> None:
    assert fields.MEMORY.parse(fields.memory_text(count)) == count


def test_it_says_when_applying_loads_the_model_again(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        about = hand.app.screen.query_one("#about", Static)
        fill(hand, "temperature", "1")
        await hand.pilot.pause()
        assert str(about.render()) == ""
        fill(hand, "memory_limit", "8GB")
        await hand.until(lambda: "loads the model again" in str(about.render()))
        fill(hand, "memory_limit", "")
        await hand.until(lambda: str(about.render()) == "")

    show(settings(Options(), store), play)


def test_it_says_when_the_context_is_past_what_was_shown(store: Store) -> None:
    session = SimpleNamespace(model=SimpleNamespace(proven_length=32768))

    async def play(hand: Hand[Any]) -> None:
        fill(hand, "context", "64K")
        await hand.sees("up to 32,768 tokens")
        fill(hand, "context", "32K")
        await hand.until(lambda: "32,768" not in hand.text)

    show(settings(Options(), store, session), play)


def test_a_preset_is_loaded_and_saved(store: Store) -> None:
    store.save_preset("All", SET)

    async def play(hand: Hand[Any]) -> None:
        await hand.press("f5")
        await hand.sees("Presets", "All")
        await hand.press("enter")
        await hand.until(lambda: "temperature" in marked_rows(hand))
        fill(hand, "temperature", "1.5")
        await hand.tab_to("presets")
        await hand.press("enter")
        await hand.sees("save these settings")
        await hand.press("s")
        await hand.type("Warm")
        await hand.press("enter")
        await hand.sees("Warm")
        await hand.press("escape", "ctrl+s")
        options = await hand.result()
        assert options.setup == SET.setup
        assert options.sampling == {**SET.sampling, "temperature": 1.5}

    show(settings(Options(), store), play)
    assert {preset.name: preset.options.sampling["temperature"] for preset in store.presets()} == {
        "All": 0.7,
        "Warm": 1.5,
    }


def test_a_preset_of_another_model_says_that_it_is_loaded(store: Store) -> None:
    store.save_preset("Big", Options(setup=Setup("owner/big")))

    async def play(hand: Hand[Any]) -> None:
        await hand.press("f5")
        await hand.sees("Big")
        await hand.press("enter")
        await hand.sees("Applying loads big")
        await hand.press("ctrl+s")
        assert (await hand.result()).setup.model == "owner/big"

    show(settings(Options(), store), play)


def test_defaults_keep_the_model_and_reset_the_rest(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        assert buttons(hand) == {"apply", "presets", "defaults"}
        await hand.tab_to("defaults")
        await hand.press("enter")
        await hand.until(lambda: not marked_rows(hand))
        await hand.press("ctrl+s")
        assert await hand.result() == Options(setup=Setup("tiny-moe"))

    show(settings(Options(setup=Setup("tiny-moe", "yarn"), sampling={"seed": 3}, context=9), store), play)


def test_escape_changes_nothing(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.type("9")
        await hand.press("escape")
        assert await hand.result() is None

    show(settings(SET, store), play)


def test_stored_values_of_another_kind_are_shown_and_told(store: Store) -> None:
    """A store may be of another version, or edited by hand."""
    odd: Any = Options(
        setup=Setup(rope="spiral", kv_bits="3"),
        sampling={"temperature": "[red]", "top_k": None, "stop": "one", "new_one": 5},
        context=[1],  # type: ignore[arg-type]
        mode="guess",  # type: ignore[arg-type]
        max_time="x",  # type: ignore[arg-type]
    )

    async def play(hand: Hand[Any]) -> None:
        assert problem_of(hand, "temperature")
        assert problem_of(hand, "context")
        assert problem_of(hand, "max_time")
        for name in ("temperature", "context", "max_time"):
            fill(hand, name, "")
        await hand.press("ctrl+s")
        assert await hand.result() == Options(sampling={"stop": ["one"], "new_one": 5})

    show(settings(odd, store), play)


def test_hostile_texts_are_only_text(store: Store) -> None:
    text = " ".join(HOSTILE)
    options = Options(setup=Setup(text), system=text, sampling={"stop": list(HOSTILE)})

    async def play(hand: Hand[Any]) -> None:
        assert_nothing_escapes(hand.text)

    show(settings(options, store), play, (120, 40))
