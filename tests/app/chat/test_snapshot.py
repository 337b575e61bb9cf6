"""The helper that compares screens sees what changed, and nothing else."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tests.app.chat import snapshot


class Page(App[None]):
    """Two lines of which the second can be another."""

    CSS = "Page Static { height: 1; } #second { text-style: bold; } #second.loud { text-style: reverse; }"

    def __init__(self, second: str = "深圳 second") -> None:
        super().__init__()
        self.second = second

    def compose(self) -> ComposeResult:
        yield Static("first", markup=False)
        yield Static(self.second, id="second", markup=False)


class Above(ModalScreen[None]):
    CSS = "Above { align: left bottom; }"

    def compose(self) -> ComposeResult:
        yield Static("above")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(snapshot, "FOLDER", tmp_path)
    monkeypatch.delenv("UPDATE_SNAPSHOTS", raising=False)
    return tmp_path


def on_screen(app: App, look: Callable[[App], object], before: Callable[[App], object] | None = None) -> None:
    async def run() -> None:
        async with app.run_test(size=(30, 6)) as pilot:
            if before is not None:
                before(app)
            await pilot.pause()
            look(app)

    asyncio.run(run())


def save(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("UPDATE_SNAPSHOTS", "1")
        on_screen(Page(), lambda app: snapshot.assert_screen(app, "page"))


def test_a_saved_screen_is_text_that_people_can_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(monkeypatch)
    text, _, styles = (folder / "page.txt").read_text(encoding="utf-8").partition("---- styles\n")
    assert text == "first\n深圳 second\n\n\n\n\n"
    rows = styles.splitlines()
    assert rows[0] == "aaaaa"
    assert rows[1] == "b" * 11, "one letter for each cell, wide characters too"
    assert rows[6].startswith(". ")
    assert rows[8].startswith("b bold ")


def test_the_same_screen_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    save(monkeypatch)
    on_screen(Page(), lambda app: snapshot.assert_screen(app, "page"))


def test_another_text_fails_and_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    save(monkeypatch)
    with pytest.raises(
        AssertionError, match=r"text of page is another(.|\n)*-深圳 second(.|\n)*\+深圳 sechnd"
    ):
        on_screen(Page("深圳 sechnd"), lambda app: snapshot.assert_screen(app, "page"))


def test_another_style_fails_as_a_style(monkeypatch: pytest.MonkeyPatch) -> None:
    save(monkeypatch)
    with pytest.raises(AssertionError, match="style of page is another"):
        on_screen(
            Page(),
            lambda app: snapshot.assert_screen(app, "page"),
            lambda app: app.query_one("#second").add_class("loud"),
        )


def test_a_screen_that_was_never_saved_fails() -> None:
    with pytest.raises(AssertionError, match="UPDATE_SNAPSHOTS=1 writes it"):
        on_screen(Page(), lambda app: snapshot.assert_screen(app, "page"))


def test_what_lies_behind_a_modal_screen_is_seen() -> None:
    seen: list[str] = []
    on_screen(
        Page(), lambda app: seen.append(snapshot.visible_text(app)), lambda app: app.push_screen(Above())
    )
    assert "first" in seen[0]
    assert "above" in seen[0]
