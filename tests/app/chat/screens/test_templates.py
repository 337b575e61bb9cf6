"""Templates: write, change, remove and choose one."""

from typing import Any

import pytest
from textual.widgets import TextArea

from app.chat.screens.templates import Templates
from app.chat.store import Store
from app.chat.store.records import Template
from tests.app.chat.screens.host import Hand, box, buttons, show
from tests.app.chat.screens.sample import HOSTILE, assert_nothing_escapes


def test_a_new_template_is_written_and_inserted_with_keys_alone(store: Store) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("no templates yet")
        assert buttons(hand) == {"new"}
        await hand.press("n")
        await hand.sees("name, called with /")
        await hand.type("sum")
        await hand.press("tab")
        await hand.type("Short")
        await hand.press("tab")
        await hand.type("Say it in one line")
        await hand.press("ctrl+s")
        await hand.sees("/sum", "Short — Say it in one line")
        await hand.press("enter")
        assert await hand.result() == Template("sum", "Short", "Say it in one line")

    show(Templates(store), play)
    assert store.templates() == [Template("sum", "Short", "Say it in one line")]


def test_editing_may_rename_and_leaving_changes_nothing(store: Store) -> None:
    store.save_template(Template("sum", "Short", "Old"))

    async def play(hand: Hand[Any]) -> None:
        await hand.press("e")
        await hand.sees("ctrl+s save")
        hand.app.screen.query_one(TextArea).text = "Never saved"
        await hand.press("escape")
        await hand.sees("/sum")
        assert store.templates() == [Template("sum", "Short", "Old")]
        await hand.press("e")
        await hand.sees("ctrl+s save")
        box(hand, "slug").value = "/brief"
        hand.app.screen.query_one(TextArea).text = "New\ntext"
        await hand.tab_to("save")
        await hand.press("enter")
        await hand.sees("/brief")
        await hand.press("escape")
        assert await hand.result() is None

    show(Templates(store), play)
    assert store.templates() == [Template("brief", "Short", "New\ntext")]


def test_removing_asks(store: Store) -> None:
    store.save_template(Template("sum", "Short", "Old"))

    async def play(hand: Hand[Any]) -> None:
        await hand.press("x")
        await hand.sees("Remove the template /sum?")
        await hand.press("escape")
        await hand.until(lambda: "Sure?" not in hand.text)
        assert store.templates()
        await hand.tab_to("remove")
        await hand.press("enter")
        await hand.sees("Sure?")
        await hand.press("y")
        await hand.sees("no templates yet")

    show(Templates(store), play)
    assert store.templates() == []


@pytest.mark.parametrize(
    ("slug", "body", "words"),
    [
        ("", "text", "1 to 50 letters"),
        ("two words", "text", "1 to 50 letters"),
        ("../x", "text", "1 to 50 letters"),
        ("[red]", "text", "1 to 50 letters"),
        ("sum", "text", "there is a template /sum already"),
        ("new", "  ", "the text is empty"),
    ],
)
def test_what_cannot_be_saved_says_why(store: Store, slug: str, body: str, words: str) -> None:
    store.save_template(Template("sum", "Short", "Old"))

    async def play(hand: Hand[Any]) -> None:
        await hand.press("n")
        await hand.sees("ctrl+s save")
        box(hand, "slug").value = slug
        hand.app.screen.query_one(TextArea).text = body
        await hand.press("ctrl+s")
        await hand.until(lambda: words in hand.problem)

    show(Templates(store), play)
    assert store.templates() == [Template("sum", "Short", "Old")]


def test_hostile_templates_are_only_text(store: Store) -> None:
    for number, text in enumerate(HOSTILE):
        store.save_template(Template(f"t{number}", text, text))

    async def play(hand: Hand[Any]) -> None:
        assert_nothing_escapes(hand.text)
        assert "[red]not" in hand.text

    show(Templates(store), play)
