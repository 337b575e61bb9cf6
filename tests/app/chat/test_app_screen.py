"""The main screen: what it shows, how it stops, leaves and finds its way."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import App
from textual.filter import Monochrome
from textual.widgets import Input

from app.chat.config import Config
from app.chat.engine.messages import Died, Failed, Finished, Load, Loaded, Reading, Text
from app.chat.options import Options
from app.chat.screens.commands import Commands
from app.chat.screens.main import MainScreen
from app.chat.slash import COMMANDS
from app.chat.store import Store
from app.chat.widgets.chat_list import PAGE, ChatList, ChatRows, group_of
from app.chat.widgets.status_bar import numbers_text, progress_text
from tests.app.chat.screen import ChatScreen, play
from tests.app.chat.scripted import model_info
from tests.app.chat.test_app_prompt import toasts

NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))


def test_the_screen_is_drawn_before_the_model_is_asked_for(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.until(lambda: see.engine.of(Load))
        await see.until_seen("tiny (loading)")
        assert "loading tiny" in see.text
        see.engine.emit(Loaded(model_info()))
        await see.until_seen("ready")
        assert "0/32K" in see.text

    play(scenario, tmp_path, silent=True)


def test_a_question_can_be_asked_while_the_model_loads(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("hi")
        await see.press("enter")
        await see.until(lambda: see.texts == ["hi", ""])
        see.engine.emit(Loaded(model_info()), Text(1, "yes"), Finished(1, "stop"))
        await see.until(lambda: see.texts == ["hi", "yes"])

    play(scenario, tmp_path, silent=True)


def test_text_is_shown_as_it_arrives(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        see.engine.say("The har")
        await see.until_seen("The har")
        assert "answering · esc stops" in see.text
        see.engine.say("bour.")
        await see.until_seen("The harbour.")
        see.engine.finish()
        await see.until_seen("63 tok/s")
        assert "57/32K" in see.text

    play(scenario, tmp_path)


def test_the_reading_of_a_long_prompt_says_how_long_it_takes(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        see.engine.emit(Reading(1, 12_000, 40_000, left=92.0))
        await see.until_seen("reading 12,000 of 40,000 · 1:32 left · esc stops")

    play(scenario, tmp_path)


def test_a_stopped_answer_can_be_continued_and_says_so(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        see.engine.say("The har")
        await see.press("escape")
        await see.until_seen("c: continue")
        assert "stopped" in see.text

    play(scenario, tmp_path)


def test_escape_closes_what_is_open_before_it_stops(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.press("f1")
        await see.until_box("Help")
        await see.press("escape")
        await see.until_box("MainScreen")
        await see.press("ctrl+f")
        await see.until(lambda: see.app.main.find_bar.is_open)
        await see.press("escape")
        await see.until(lambda: not see.app.main.find_bar.is_open)
        await see.type("/")
        await see.press("escape")
        assert see.session.answering is not None
        await see.press("escape")
        await see.until(lambda: see.session.answering is None)

    play(scenario, tmp_path)


def test_a_failure_is_shown_with_its_reason(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until_seen("out of memory")

    play(scenario, tmp_path, ["The har", Failed(0, "out of memory; shorten the chat")])


def test_a_model_that_cannot_be_loaded_is_told_and_another_can_be_chosen(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.until(lambda: see.engine.of(Load))
        see.engine.emit(Failed(None, "there is no model tiny; F2 lists them"))
        await see.until_seen("no model; F2 chooses one")
        assert "there is no model tiny" in toasts(see)
        await see.press("f2")
        await see.until_box("Models")

    play(scenario, tmp_path, silent=True)


def test_the_death_of_the_engine_leaves_the_chat_usable(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        see.engine.say("The har")
        see.engine.running.clear()
        see.engine.emit(Died("the model's process ended: out of memory"))
        await see.until_seen("(not loaded)")
        assert see.messages[-1].content == "The har"
        see.engine.answers.append("again")
        await see.press("ctrl+r")
        await see.until(lambda: see.texts == ["hi", "again"])

    play(scenario, tmp_path)


def test_quitting_in_the_middle_of_an_answer_keeps_it_within_half_a_second(tmp_path: Path) -> None:
    took = []

    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        see.engine.say("The har")
        begun = time.monotonic()
        await see.press("ctrl+q")
        await see.until(lambda: see.app.return_code == 0)
        see.session.close(0.3)
        took.append(time.monotonic() - begun)

    play(scenario, tmp_path)
    with Store.open(tmp_path / "chats.sqlite") as store:
        chat = store.chats()[0]
        answer = store.message(store.path(chat)[-1].id)
    assert (answer.content, answer.state) == ("The har", "stopped")
    assert took[0] < 0.5


def test_an_idle_screen_does_next_to_nothing(tmp_path: Path) -> None:
    used = []

    async def scenario(see: ChatScreen) -> None:
        see.prompt.cursor_blink = False
        await asyncio.sleep(0.5)
        before = time.process_time()
        await asyncio.sleep(2.0)
        used.append((time.process_time() - before) / 2.0)

    play(scenario, tmp_path)
    assert used[0] < 0.05


def test_marks_in_titles_notices_and_answers_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("[bold]x[/bold] [/")
        await see.until_idle()
        await see.until_seen("[bold]x[/bold] [/ ·")
        see.app.main.say("[red]y[/red] [/\x1b[2J")
        await see.until_seen("[red]y[/red] [/[2J")

    play(scenario, tmp_path, "z")


def test_a_narrow_screen_hides_the_list_until_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        chats: ChatList = see.find(ChatList)
        assert not chats.display
        await see.pilot.resize_terminal(120, 30)
        await see.until(lambda: chats.display)
        await see.pilot.resize_terminal(80, 24)
        await see.until(lambda: not chats.display)
        await see.press("ctrl+l")
        await see.until(lambda: chats.display)

    play(scenario, tmp_path, size=(80, 24))


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (20, 8), (200, 60)])
def test_the_screen_works_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until(lambda: see.texts == ["hi", "one"])
        await see.press("f1")
        await see.until_box("Help")
        await see.press("escape")

    play(scenario, tmp_path, "one", size=size)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
def test_a_theme_of_the_settings_is_used(theme: str, tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        assert see.app.theme == theme
        await see.ask("hi")
        await see.until_seen("one")

    play(scenario, tmp_path, "one", config=Config(theme=theme))


def test_an_unknown_theme_is_told_and_another_used(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.until(lambda: "no theme dusk" in toasts(see))

    play(scenario, tmp_path, config=Config(theme="dusk"))


def test_no_color_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    filters: list[object] = []

    async def scenario(see: ChatScreen) -> None:
        filters.extend(see.app.get_line_filters())
        await see.ask("hi")
        await see.until_seen("one")

    play(scenario, tmp_path, "one")
    assert any(isinstance(each, Monochrome) for each in filters)


def test_nothing_moves_by_itself(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        assert see.app.animation_level == "none"

    play(scenario, tmp_path)


# The list of chats.


def store_with(folder: Path, *titles: str) -> list[int]:
    with Store.open(folder / "chats.sqlite") as store:
        return [store.new_chat(Options(), title).id for title in titles]


def test_chats_are_listed_by_when_something_was_said(tmp_path: Path) -> None:
    store_with(tmp_path, "x")
    with Store.open(tmp_path / "chats.sqlite") as store:
        chat = store.chats()[0]
    day = 24 * 3600.0
    ages = [0.0, 11 * 3600.0, 13 * 3600.0, 35 * 3600.0, 37 * 3600.0, 400 * day]
    groups = [group_of(replace(chat, updated=NOON - age), NOON) for age in ages]
    assert groups == ["Today", "Today", "Yesterday", "Yesterday", "Older", "Older"]
    assert group_of(replace(chat, updated=NOON - 400 * day, pinned=True), NOON) == "Pinned"


def test_the_list_opens_filters_deletes_and_brings_back(tmp_path: Path) -> None:
    store_with(tmp_path, "alpha", "beta", "gamma")

    async def scenario(see: ChatScreen) -> None:
        rows: ChatRows = see.find(ChatRows)
        await see.until_seen("gamma")
        await see.press("ctrl+l", "ctrl+l")
        await see.until(lambda: see.focused == "Input")
        await see.type("bet")
        await see.until(lambda: "alpha" not in see.text and "beta" in see.text)
        await see.press("enter", "enter")
        await see.until(lambda: see.session.chat is not None and see.session.chat.title == "beta")
        await see.until_seen("> beta")
        rows.focus()
        await see.press("d")
        await see.until(lambda: [chat.title for chat in see.store.chats()] == ["gamma", "alpha"])
        rows.focus()
        await see.press("u")
        await see.until(lambda: len(see.store.chats()) == 3)

    play(scenario, tmp_path)


def test_a_long_list_is_read_page_by_page(tmp_path: Path) -> None:
    store_with(tmp_path, *(f"chat {n:04}" for n in range(2 * PAGE + 50)))

    async def scenario(see: ChatScreen) -> None:
        rows: ChatRows = see.find(ChatRows)
        await see.until(lambda: rows.option_count == PAGE + 1)
        rows.focus()
        rows.highlighted = PAGE
        await see.until(lambda: rows.option_count == 2 * PAGE + 1)
        rows.highlighted = 2 * PAGE
        await see.until(lambda: rows.option_count == 2 * PAGE + 51)

    play(scenario, tmp_path)


def test_a_stored_chat_is_opened_with_what_it_holds(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chats.sqlite") as store:
        chat = store.new_chat(Options(), "Harbours")
        store.add_message(chat.id, None, "user", "Where is it?")
        store.update_chat(chat.id, draft="half a thought")

    async def scenario(see: ChatScreen) -> None:
        await see.until_seen("Where is it?")
        await see.until_seen("Harbours · tiny")
        assert see.prompt.text == "half a thought"
        await see.until_seen("ctrl+r answers the question")
        assert see.texts == ["Where is it?"]

    play(scenario, tmp_path, "never asked for", chat=chat.id)


# Commands and the palette.


def test_every_command_can_be_carried_out() -> None:
    for command in COMMANDS:
        name = f"{command.name}_" if command.name in ("import", "continue") else command.name
        assert callable(getattr(Commands, name)), command.name


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("/chats", "Switcher"),
        ("/settings", "ChatSettings"),
        ("/presets", "Presets"),
        ("/templates", "Templates"),
        ("/model", "Models"),
        ("/trash", "Trash"),
        ("/export", "Export"),
        ("/import", "ImportChats"),
        ("/branches", "Branches"),
        ("/attach", "Attach"),
        ("/help", "Help"),
        ("/theme", "CommandPalette"),
    ],
)
def test_a_command_opens_its_box(text: str, box: str, tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until_idle()
        see.prompt.write(text)
        await see.press("enter")
        await see.until_box(box)
        assert see.prompt.text == ""

    play(scenario, tmp_path, "one")


def test_commands_change_the_chat(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        async def run(text: str) -> None:
            see.prompt.write(text)
            await see.press("enter")
            await see.pilot.pause()

        def chat() -> object:
            return see.session.chat

        await run("/system Be brief.")
        assert see.session.options.system == "Be brief."
        await see.ask("hi")
        await see.until_idle()
        await run("/rename Harbours of the north")
        await see.until_seen("Harbours of the north · tiny")
        await run("/pin")
        await see.until_seen("Pinned")
        await run("/mode read")
        assert see.session.options.mode == "read"
        await run("/mode nosuch")
        assert "no such mode" in toasts(see)
        await run("/theme nord")
        assert see.app.theme == "nord"
        await run("/system")
        assert see.session.options.system is None
        await run("/stats")
        assert "prompt 40 tokens" in toasts(see)
        await run("/unload")
        await see.until_seen("(not loaded)")
        await run("/duplicate")
        await see.until(lambda: len(see.store.chats()) == 2)
        await run("/delete")
        await see.until(lambda: chat() is None)
        await run("/restore")
        assert len(see.store.chats()) == 2
        await run("/find words")
        await see.until(lambda: see.app.main.find_bar.is_open)
        assert see.app.main.find_bar.query_one(Input).value == "words"

    play(scenario, tmp_path, "one", size=(110, 40))


def test_archived_chats_leave_the_list_and_can_be_shown(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi there")
        await see.until_idle()
        await see.until_seen("> hi there")
        see.prompt.write("/archive")
        await see.press("enter")
        await see.until(lambda: "> hi there" not in see.text)
        see.prompt.write("/archived")
        await see.press("enter")
        await see.until_seen("> hi there")

    play(scenario, tmp_path, "one")


def test_the_palette_finds_and_runs_keys_and_commands(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until_idle()
        await see.press("ctrl+p")
        await see.until_box("CommandPalette")
        await see.type("duplicate")
        await see.until_seen("Copy this chat")
        await see.press("enter")
        await see.until(lambda: len(see.store.chats()) == 2)
        await see.press("ctrl+p")
        await see.until_box("CommandPalette")
        await see.type("rename")
        await see.until_seen("Name this chat")
        await see.press("enter")
        await see.until(lambda: see.prompt.text == "/rename ")

    play(scenario, tmp_path, "one")


# Telling people who look elsewhere.


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr("app.chat.app.ChatApp.tell_outside", lambda self, text: heard.append(text))
    return heard


def test_long_work_that_ends_is_told_outside(tmp_path: Path, rung: list[str]) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until_idle()
        await see.until(lambda: any("answered: hi" in text for text in rung))

    play(scenario, tmp_path, "one", config=Config(notify_after=0.0))


def test_a_quick_answer_rings_only_where_nobody_looks(tmp_path: Path, rung: list[str]) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        await see.until_idle()
        assert rung == []
        see.app.app_focus = False  # a key would say that somebody is there
        see.app.main.action_retry()
        await see.until(lambda: rung == ["answered: hi"])

    play(scenario, tmp_path, "one", "two")


def test_a_notification_carries_no_commands_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(see: ChatScreen) -> None:
        written: list[str] = []
        assert see.app._driver is not None
        monkeypatch.setattr(see.app._driver, "write", written.append)
        see.app.tell_outside("answered: a\x1b]0;b\x07\nc" + "x" * 500)
        sent = "".join(written)
        assert sent.startswith("\x1b]9;answered: a]0;b cxxx")
        assert sent.endswith("x\x07")
        assert (sent.count("\x1b"), sent.count("\x07"), len(sent) < 300) == (1, 1, True)

    play(scenario, tmp_path)


def test_who_wants_no_notification_gets_none(tmp_path: Path, rung: list[str]) -> None:
    async def scenario(see: ChatScreen) -> None:
        see.app.app_focus = False
        await see.ask("hi")
        await see.until_idle()
        assert rung == []

    play(scenario, tmp_path, "one", config=Config(notify=False, notify_after=0.0))


def test_progress_and_numbers_in_words() -> None:
    from app.chat.session.changes import Progress

    assert progress_text(Progress("loading tiny")) == "loading tiny"
    assert progress_text(Progress("reading", 1200, 4000, 75.0)) == "reading 1,200 of 4,000 · 1:15 left"
    assert numbers_text(63.4, 9_100_000_000) == "63 tok/s  9.1 GB"
    assert numbers_text(3.14, 0) == "3.1 tok/s"
    assert numbers_text(0.0, 0) == ""


def test_the_main_screen_is_under_all_others(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.press("f1")
        await see.until_box("Help")
        assert isinstance(see.app.main, MainScreen)
        assert isinstance(see.app, App)

    play(scenario, tmp_path)
