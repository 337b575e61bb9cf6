"""What each screen looks like at two sizes."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.screen import Screen
from textual.widgets import Input, TextArea

from app.chat.options import Options, Setup
from app.chat.screens.chat_settings import ChatSettings
from app.chat.screens.confirm import Confirm
from app.chat.screens.export import Export
from app.chat.screens.models import Models
from app.chat.screens.presets import Presets
from app.chat.screens.switcher import Switcher
from app.chat.screens.templates import TemplateForm, Templates
from app.chat.screens.trash import Trash
from app.chat.store import Store
from app.chat.store.records import Template
from tests.app.chat.screens.host import Hand, show
from tests.app.chat.screens.sample import chat_about
from tests.app.chat.screens.test_models import FITS, Asked
from tests.app.chat.scripted import model_info
from tests.app.chat.snapshot import assert_screen

THEN, NOW = 1_700_000_000.0, 1_700_003_600.0
SIZES = ((80, 24), (120, 40))

NO_MODEL: Any = SimpleNamespace(model=None)
SET = Options(
    setup=Setup(rope="dca"), system="Be brief.", sampling={"temperature": 0.7, "top_p": 2.0}, context=65536
)


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch, in_utc: None) -> Store:
    """A store whose chats are all of one moment."""
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: THEN)
        chat_about(
            store, "Lease review", "Which clauses end the lease early?", "Two do: breach, redevelopment."
        )
        chat_about(store, "诗歌 [draft]", "Hello", "A lease is no poem.")
        store.delete_chat(chat_about(store, "Old plans", "What?").id)
        store.delete_message(chat_about(store, "Notes", "Never mind").head or 0)
    store.save_template(Template("sum", "Summarise", "Summarise this in three sentences:"))
    store.save_template(Template("fix", "", "Find the mistake:"))
    store.save_preset("Cold", SET)
    return store


async def still(hand: Hand[Any]) -> None:
    """Switches blinking off and waits for what comes later."""
    for box in hand.app.screen.query("Input, TextArea").results():
        assert isinstance(box, Input | TextArea)
        box.cursor_blink = False
    await hand.pilot.pause()


def picture(make: Callable[[], Screen[Any]], name: str, *words: str, keys: str = "") -> None:
    for width, height in SIZES:

        async def play(hand: Hand[Any], size: str = f"{width}x{height}") -> None:
            await hand.type(keys)
            await hand.sees(*words)
            await still(hand)
            assert_screen(hand.pilot, f"{name}-{size}")

        show(make(), play, (width, height))


def test_the_switcher(filled: Store) -> None:
    picture(lambda: Switcher(filled, now=lambda: NOW), "switcher", "3 found", keys="lease")


def test_the_models(tmp_path: Path) -> None:
    session: Any = Asked(answer=FITS)
    session.model = model_info(Setup("tiny-moe"))
    picture(lambda: Models(session, cache=tmp_path), "models", "fits; the most")


def test_the_settings(filled: Store) -> None:
    picture(lambda: ChatSettings(SET, NO_MODEL, filled), "settings", "! top p must be")


def test_the_presets(filled: Store) -> None:
    picture(lambda: Presets(filled, Options()), "presets", "Cold")


def test_the_trash(filled: Store) -> None:
    picture(lambda: Trash(filled, now=lambda: NOW), "trash", "Old plans", "Never mind")


def test_the_export(filled: Store) -> None:
    chat = next(chat for chat in filled.chats() if chat.title == "Lease review")
    picture(lambda: Export(filled, chat, Path("/chats")), "export", "/chats/Lease-review.md")


def test_the_templates(filled: Store) -> None:
    picture(lambda: Templates(filled), "templates", "/sum")
    picture(lambda: TemplateForm(filled, filled.templates()[0]), "template", "Find the mistake")


def test_a_question() -> None:
    picture(
        lambda: Confirm("Delete chat “Old plans” for good? It cannot be undone.", "Delete"), "confirm", "No"
    )
