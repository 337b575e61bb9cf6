"""The tree of a chat's messages, and the choice of one of several code blocks."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from app.chat.options import Options
from app.chat.screens.branches import Branches, BranchTree
from app.chat.store import Chat, Store
from tests.app.chat.waiting import wait_until

Scenario = Callable[["Tree", Pilot[None]], Awaitable[None]]


class Tree(App[None]):
    """An app that shows the branches of a chat."""

    def __init__(self, store: Store, chat: Chat) -> None:
        super().__init__()
        self.store, self.chat = store, chat
        self.results: list[int | None] = []

    def on_mount(self) -> None:
        self.push_screen(Branches(self.store, self.chat.id, self.chat.head), self.results.append)

    @property
    def branches(self) -> BranchTree:
        return self.screen.query_one(BranchTree)

    @property
    def rows(self) -> list[str]:
        height = self.branches.scrollable_size.height
        return [self.branches.render_line(row).text.rstrip() for row in range(height)]


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "chats.db")
    yield opened
    opened.close()


def play(store: Store, chat: Chat, scenario: Scenario) -> None:
    async def run() -> None:
        app = Tree(store, store.chat(chat.id))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_until(pilot, lambda: isinstance(app.screen, Branches) and app.branches.size.height > 0)
            await scenario(app, pilot)

    asyncio.run(run())


def branched(store: Store) -> tuple[Chat, list[int]]:
    """A question with two answers; the second one is shown and has a follow-up."""
    chat = store.new_chat(Options())
    question = store.add_message(chat.id, None, "user", "first question\nmore")
    one = store.add_message(chat.id, question.id, "assistant", "answer one")
    two = store.add_message(chat.id, question.id, "assistant", "answer two")
    after = store.add_message(chat.id, two.id, "user", "follow-up\x1b[31m")
    return chat, [question.id, one.id, two.id, after.id]


def test_versions_are_indented_and_the_shown_branch_is_marked_without_colour(store: Store) -> None:
    async def scenario(app: Tree, pilot: Pilot[None]) -> None:
        first, one, two, after = app.rows[:4]
        assert first.startswith("● You  first question")
        assert one.startswith("  ○ Qwen2 1/2  answer one")
        assert two.startswith("  ● Qwen2 2/2  answer two")
        assert after.startswith("  ● You  follow-up")
        assert after.endswith("· here")
        assert "\x1b" not in after

    play(store, branched(store)[0], scenario)


def test_it_begins_where_the_chat_stands_and_enter_goes_to_the_chosen_message(store: Store) -> None:
    chat, ids = branched(store)

    async def scenario(app: Tree, pilot: Pilot[None]) -> None:
        assert app.branches.cursor == 3
        await pilot.press("up", "k", "enter")
        await wait_until(pilot, lambda: app.results)
        assert app.results == [ids[1]]

    play(store, chat, scenario)


def test_escape_changes_nothing(store: Store) -> None:
    async def scenario(app: Tree, pilot: Pilot[None]) -> None:
        await pilot.press("home", "escape")
        await wait_until(pilot, lambda: app.results)
        assert app.results == [None]

    play(store, branched(store)[0], scenario)


def test_a_double_click_goes_there(store: Store) -> None:
    chat, ids = branched(store)

    async def scenario(app: Tree, pilot: Pilot[None]) -> None:
        await pilot.click(BranchTree, offset=(4, 1), times=2)
        await wait_until(pilot, lambda: app.results)
        assert app.results == [ids[1]]

    play(store, chat, scenario)


def test_thousands_are_gone_through_with_every_key_and_only_the_view_is_drawn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = store.new_chat(Options())
    parent = None
    for number in range(3000):
        parent = store.add_message(chat.id, parent, "user", f"message {number}").id

    async def scenario(app: Tree, pilot: Pilot[None]) -> None:
        drawn: list[int] = []
        text = BranchTree._text
        monkeypatch.setattr(
            BranchTree, "_text", lambda self, node, width: (drawn.append(node.id), text(self, node, width))[1]
        )
        await pilot.press("home")
        assert app.branches.cursor == 0
        page = app.branches.scrollable_size.height - 1
        await pilot.press("pagedown", "space")
        assert app.branches.cursor == 2 * page
        await pilot.press("pageup", "down", "j")
        assert app.branches.cursor == page + 2
        await pilot.press("end")
        assert app.branches.cursor == 2999
        assert "message 2999" in app.rows[-1]
        assert len(set(drawn)) < 200

    play(store, chat, scenario)
