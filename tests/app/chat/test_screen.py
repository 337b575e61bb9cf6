"""The full-screen chat, driven key by key with a scripted session behind the real engine."""

import asyncio
import functools
import itertools
import os
import time
from collections.abc import Awaitable, Callable

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot

from app.chat import screen
from app.chat.engine import Engine, Loading
from app.chat.prompt import Prompt
from app.chat.screen import ChatApp, open_chat
from app.chat.settings import Session, Settings
from app.chat.status import StatusLine
from app.chat.transcript import Message, Transcript
from qwen2_mlx.errors import CheckpointError
from tests.app.chat.scripted import PATIENCE, Gate, ScriptedSession

Scenario = Callable[["Screen"], Awaitable[None]]


class Screen:
    """What a reader sees and does."""

    def __init__(self, app: ChatApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def prompt(self) -> Prompt:
        return self.app.query_one(Prompt)

    @property
    def transcript(self) -> Transcript:
        return self.app.query_one(Transcript)

    @property
    def status(self) -> str:
        return str(self.app.query_one(StatusLine).render())

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Kind and drawn text, without the author's line, of every message."""
        return [(message.kind, str(message.visual).partition("\n")[2]) for message in self.app.query(Message)]

    @property
    def stop_is_offered(self) -> bool:
        return self.app.screen.active_bindings["escape"].enabled

    async def ask(self, text: str) -> None:
        self.prompt.text = text
        await self.pilot.press("enter")

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for a condition; a fixed pause would prove nothing."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never came; {self.status!r} {self.messages}"
            await self.pilot.pause(0.01)

    async def until_ready(self) -> None:
        await self.until(lambda: "ready" in self.status)


def play(
    scenario: Scenario,
    session: ScriptedSession | Exception,
    settings: Settings | None = None,
    size: tuple[int, int] = (80, 24),
) -> None:
    """Runs a scenario on a screen whose model is `session`, or fails to load with it."""

    def opener(settings: Settings) -> Session:
        if isinstance(session, Exception):
            raise session
        return session

    async def run() -> None:
        engine = Engine(opener)
        app = ChatApp(engine, settings or Settings())
        async with app.run_test(size=size) as pilot:
            await scenario(Screen(app, pilot))
        assert engine.close(PATIENCE)

    asyncio.run(run())


def test_enter_sends_and_the_answer_appears() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        assert see.prompt.has_focus
        await see.pilot.press(*"hi", "enter")
        await see.until(lambda: len(see.messages) == 2 and "ready" in see.status)
        assert see.messages == [("user", "hi"), ("assistant", "The harbour.")]
        assert see.prompt.text == ""
        assert see.status == "tiny · ready · 63 tok/s · 48 tokens in context"

    play(scenario, ScriptedSession("The ", "harbour."))


def test_text_is_shown_while_the_answer_is_written() -> None:
    gate = Gate()

    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: ("assistant", "half") in see.messages)
        assert "answering" in see.status
        gate.open()
        await see.until(lambda: ("assistant", "half more") in see.messages)

    play(scenario, ScriptedSession("half", gate, " more"))


def test_the_reading_of_a_long_prompt_is_shown() -> None:
    gate = Gate()

    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: "reading 20 of 40 tokens" in see.status)
        gate.open()
        await see.until_ready()

    play(scenario, ScriptedSession("x", prefill=gate))


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter"])
def test_a_new_line_key_breaks_the_line_and_does_not_send(key: str) -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        await see.pilot.press("a", key, "b")
        assert see.prompt.text == "a\nb"
        assert see.messages == []

    play(scenario, ScriptedSession("x"))


def test_keys_that_arrive_at_once_are_taken_in_order() -> None:
    """A terminal delivers fast typing as one block; Enter must not overtake the letters."""

    async def scenario(see: Screen) -> None:
        await see.until_ready()
        for key in ("h", "i", "ctrl+j", "y", "enter", "m", "o"):
            see.app.post_message(Key(key, key if len(key) == 1 else None))
        await see.until(lambda: see.prompt.text == "mo")
        assert see.messages[0] == ("user", "hi\ny")

    play(scenario, ScriptedSession("x"))


def test_what_arrives_while_the_screen_is_taken_down_is_no_crash() -> None:
    """The update timer can fire once more after a quit, when the widgets are gone already."""

    async def scenario(see: Screen) -> None:
        await see.until_ready()
        await see.app.query_one(StatusLine).remove()
        see.app._engine.events.append(Loading("tiny"))
        await see.pilot.pause(0.2)
        assert len(see.app._engine.events) == 1

    play(scenario, ScriptedSession("x"))


def test_pasted_lines_are_not_sent() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        see.app.post_message(Paste("one\ntwo\n"))
        await see.until(lambda: see.prompt.text == "one\ntwo\n")
        assert see.messages == []

    play(scenario, ScriptedSession("x"))


def test_blank_text_is_not_sent() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        await see.pilot.press("space", "enter")
        await see.pilot.pause()
        assert see.messages == []

    play(scenario, ScriptedSession("x"))


def test_a_question_may_be_asked_before_the_model_is_loaded() -> None:
    gate = Gate()

    def opener(settings: Settings) -> Session:
        gate()
        return ScriptedSession("late")

    async def run() -> None:
        engine = Engine(opener)
        app = ChatApp(engine, Settings())
        async with app.run_test() as pilot:
            see = Screen(app, pilot)
            await see.until(lambda: "loading" in see.status)
            await see.ask("hi")
            assert see.messages[0] == ("user", "hi")
            gate.open()
            await see.until(lambda: ("assistant", "late") in see.messages)
        assert engine.close(PATIENCE)

    asyncio.run(run())


def test_escape_stops_and_keeps_the_partial_answer() -> None:
    gate = Gate()
    session = ScriptedSession("half", gate, " an", " answer")

    async def scenario(see: Screen) -> None:
        await see.until_ready()
        assert not see.stop_is_offered
        await see.ask("hi")
        await see.until(lambda: gate.reached)
        assert see.stop_is_offered
        await see.pilot.press("escape")
        assert "stopping" in see.status
        gate.open()
        await see.until_ready()
        assert see.messages[-1] == ("assistant", "half an\n(stopped)")
        assert not see.stop_is_offered

    play(scenario, session)
    assert session.messages[-1] == {"role": "assistant", "content": "half an"}


def test_escape_with_nothing_to_stop_does_nothing() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        await see.pilot.press("a", "escape", "b")
        assert see.prompt.text == "ab"
        assert "ready" in see.status

    play(scenario, ScriptedSession("x"))


def test_a_second_question_waits_in_the_box_until_the_answer_is_over() -> None:
    gate = Gate()

    async def scenario(see: Screen) -> None:
        await see.ask("first")
        await see.until(lambda: gate.reached)
        await see.ask("second")
        await see.until(lambda: "esc stops" in see.status)
        assert see.prompt.text == "second"
        gate.open()
        await see.until_ready()
        assert "esc stops" not in see.status
        await see.pilot.press("enter")
        await see.until(lambda: len(see.messages) == 4)

    play(scenario, ScriptedSession("x", gate))


def test_a_new_chat_empties_the_screen_and_the_conversation() -> None:
    session = ScriptedSession("x")

    async def scenario(see: Screen) -> None:
        await see.ask("first")
        await see.until(lambda: "in context" in see.status and "ready" in see.status)
        see.prompt.text = "draft"
        await see.pilot.press("ctrl+n")
        await see.until(lambda: not see.messages)
        assert see.status == "tiny · ready"
        assert see.prompt.text == "draft"
        await see.ask("second")
        await see.until(lambda: ("assistant", "x") in see.messages)

    play(scenario, session)
    assert [message["content"] for message in session.messages] == ["second", "x"]


def test_a_new_chat_ends_the_answer_that_is_being_written() -> None:
    gate = Gate()
    written_on: list[bool] = []
    session = ScriptedSession("old", gate, "old ", lambda: written_on.append(True))

    async def scenario(see: Screen) -> None:
        await see.ask("first")
        await see.until(lambda: gate.reached)
        await see.pilot.press("ctrl+n")
        await see.ask("second")
        session.script = ("new",)
        gate.open()
        await see.until(lambda: ("assistant", "new") in see.messages)
        assert see.messages == [("user", "second"), ("assistant", "new")]

    play(scenario, session)
    assert not written_on


def test_page_keys_move_the_transcript_and_the_stream_follows_only_at_its_end() -> None:
    gate, second = Gate(), Gate()
    lines = "\n".join(map(str, range(100)))

    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: gate.reached and see.transcript.max_scroll_y > 80)
        await see.until(lambda: see.transcript.is_vertical_scroll_end)
        await see.pilot.press("pageup")
        read_at = see.transcript.scroll_y
        assert read_at < see.transcript.max_scroll_y

        height = see.transcript.max_scroll_y
        gate.open()
        await see.until(lambda: see.transcript.max_scroll_y > height)
        assert see.transcript.scroll_y == read_at, "the text moved under the reader"

        while not see.transcript.is_vertical_scroll_end:
            await see.pilot.press("pagedown")
        height = see.transcript.max_scroll_y
        second.open()
        await see.until(lambda: see.transcript.max_scroll_y > height)
        assert see.transcript.is_vertical_scroll_end

    play(scenario, ScriptedSession(lines, gate, lines, second, lines))


def test_a_growing_prompt_does_not_hide_the_end_of_the_answer() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: see.transcript.max_scroll_y > 80)
        see.prompt.text = "a\nb\nc\nd"
        height = see.transcript.size.height
        await see.until(lambda: see.transcript.size.height < height)
        await see.until(lambda: see.transcript.is_vertical_scroll_end)

    play(scenario, ScriptedSession("\n".join(map(str, range(100)))))


class SlowMessage(Message):
    """A message that is laid out long before it is mounted, as happens on a busy machine."""

    async def on_mount(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0.3)


def test_text_that_comes_before_its_message_is_mounted_is_shown_in_full() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        message = SlowMessage("assistant", "tiny")
        see.transcript.add(message)
        await asyncio.sleep(0.1)
        message.append("\n".join(map(str, range(100))))
        message.flush()
        await see.until(lambda: message.size.height == 101)
        await see.until(lambda: see.transcript.is_vertical_scroll_end)

    play(scenario, ScriptedSession())


def test_a_short_conversation_stands_at_the_top() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: len(see.messages) == 2 and "ready" in see.status)
        assert see.app.query(Message).first().region.y == 1
        assert see.transcript.scroll_y == 0

    play(scenario, ScriptedSession("x"), size=(120, 40))


def test_model_text_is_never_markup_nor_control_code() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("[bold]me[/bold]\x1b[2J")
        await see.until(lambda: len(see.messages) == 2 and "ready" in see.status)
        assert see.messages == [
            ("user", "[bold]me[/bold][2J"),
            ("assistant", "[red]x[/] [31m[@click=app.quit]y[/]"),
        ]
        screenshot = see.app.export_screenshot()
        assert "[red]x[/]" in screenshot.replace("&#160;", " ")

    play(scenario, ScriptedSession("[red]x[/] \x1b[31m", "[@click=app.quit]y[/]"))


def test_a_model_that_does_not_load_is_explained_on_the_screen() -> None:
    async def scenario(see: Screen) -> None:
        await see.until(lambda: see.messages)
        assert see.messages == [("error", "[weights] are cut off; fetch them again")]
        assert "no model" in see.status
        await see.ask("hi")
        await see.until(lambda: len(see.messages) == 4)
        assert "no model is loaded" in see.messages[-1][1]

    play(scenario, CheckpointError("[weights] are cut off; fetch them again"))


def test_a_problem_in_an_answer_keeps_what_was_written() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: len(see.messages) == 3)
        assert see.messages[1:] == [("assistant", "half\n(ended by a problem)"), ("error", "broken")]
        await see.ask("again")
        await see.until(lambda: len(see.messages) == 6)

    play(scenario, ScriptedSession("half", CheckpointError("broken")))


def test_a_cut_and_an_empty_answer_say_so() -> None:
    session = ScriptedSession("cut", finish="length")

    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: len(see.messages) == 2 and "ready" in see.status)
        assert see.messages[-1] == ("assistant", "cut\n(cut: the answer reached its longest length)")
        session.script, session.finish = (), "stop"
        await see.ask("hi")
        await see.until(lambda: len(see.messages) == 4 and "ready" in see.status)
        assert see.messages[-1] == ("assistant", "(empty answer)")

    play(scenario, session)


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("tiny", "tiny"),
        ("some/Qwen2-7B", "Qwen2-7B"),
        ("/models/mine/", "mine"),
        (".", "."),
        ("a/\x1b[2J", "[2J"),
    ],
)
def test_the_model_is_called_by_its_last_name(ref: str, name: str) -> None:
    assert Settings(ref).name == name


def test_a_click_on_the_transcript_leaves_the_keys_to_the_prompt() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: ("assistant", "x") in see.messages)
        await see.pilot.click(Transcript)
        await see.pilot.click(Message)
        await see.pilot.press("a")
        assert see.prompt.text == "a"

    play(scenario, ScriptedSession("x"))


def test_ctrl_c_copies_what_is_selected_in_the_transcript() -> None:
    async def scenario(see: Screen) -> None:
        await see.ask("hi")
        await see.until(lambda: ("assistant", "The harbour.") in see.messages)
        answer = see.app.query(Message).last()
        await see.pilot.mouse_down(answer, offset=(2, 1))
        await see.pilot.hover(answer, offset=(4, 1))
        await see.pilot.mouse_up(answer, offset=(4, 1))
        await see.pilot.press("ctrl+c")
        assert see.app.clipboard == "The"

    play(scenario, ScriptedSession("The harbour."))


def test_ctrl_c_alone_does_not_end_the_chat() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        await see.pilot.press("ctrl+c", "a")
        assert see.app.is_running
        assert see.prompt.text == "a"

    play(scenario, ScriptedSession("x"))


def test_the_footer_shows_the_keys() -> None:
    async def scenario(see: Screen) -> None:
        await see.until_ready()
        shown = {key for key, active in see.app.screen.active_bindings.items() if active.binding.show}
        assert shown >= {"enter", "ctrl+j", "escape", "ctrl+n", "ctrl+q"}

    play(scenario, ScriptedSession("x"))


def run_headless(monkeypatch: pytest.MonkeyPatch, pilot: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    """Lets `open_chat` run without a terminal, driven by `pilot`."""
    run = functools.partialmethod(ChatApp.run, headless=True, auto_pilot=pilot)
    monkeypatch.setattr(ChatApp, "run", run)


def test_quitting_in_the_middle_of_an_answer_is_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[float] = []
    session = ScriptedSession()
    session.script = itertools.cycle(("on and on ", lambda: time.sleep(0.01)))  # type: ignore[assignment]

    async def pilot(pilot: Pilot[None]) -> None:
        see = Screen(pilot.app, pilot)  # type: ignore[arg-type]
        await see.ask("hi")
        await see.until(lambda: "answering" in see.status)
        pressed.append(time.monotonic())
        await pilot.press("ctrl+q")

    run_headless(monkeypatch, pilot)
    monkeypatch.setattr(screen, "SECONDS_TO_CLOSE", PATIENCE)
    assert open_chat(Settings(), lambda: Engine(lambda settings: session)) == 0
    assert time.monotonic() - pressed[0] < 2
    assert session.messages[-1]["role"] == "assistant"


def test_quitting_in_the_middle_of_a_load_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def opener(settings: Settings) -> Session:
        gate()
        return ScriptedSession()

    async def pilot(pilot: Pilot[None]) -> None:
        await Screen(pilot.app, pilot).until(lambda: gate.reached)  # type: ignore[arg-type]
        await pilot.press("ctrl+q")

    def leave(code: int) -> None:
        raise SystemExit(code)

    run_headless(monkeypatch, pilot)
    monkeypatch.setattr(screen, "SECONDS_TO_CLOSE", 0.01)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit, match="0"):
        open_chat(Settings(), lambda: Engine(opener))
    gate.open()
