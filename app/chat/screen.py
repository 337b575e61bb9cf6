"""The full-screen chat: draws what the engine reports and hands it what the reader asks."""

import os
import sys
from collections.abc import Callable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer

from app.chat.engine import (
    STOPPED,
    Clear,
    Engine,
    Event,
    Failed,
    Finished,
    Load,
    Loaded,
    Loading,
    Reading,
    Send,
    Stop,
    Text,
)
from app.chat.prompt import Prompt
from app.chat.settings import Settings
from app.chat.status import StatusLine
from app.chat.transcript import Message, Transcript

UPDATES_PER_SECOND = 25  # of streamed text; keys are handled at once
SECONDS_TO_CLOSE = 0.3  # what an answer gets to end in when the reader quits

NOTES = {"length": "cut: the answer reached its longest length", STOPPED: "stopped"}


class ChatApp(App[None], inherit_bindings=False):
    """One conversation with one model."""

    TITLE = "qwen2-chat"
    CSS_PATH = "chat.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", priority=True, id="stop", key_display="esc"),
        Binding("ctrl+n", "new_chat", "New chat", priority=True, id="new"),
        Binding("ctrl+q", "quit", "Quit", priority=True, id="quit"),
        Binding("ctrl+c", "help_quit", show=False, id="help-quit"),  # when nothing is selected
        Binding("pageup", "scroll('page_up')", "Back", priority=True, show=False, id="page-up"),
        Binding("pagedown", "scroll('page_down')", "On", priority=True, show=False, id="page-down"),
    ]

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__()
        self._engine = engine
        self._settings = settings
        self._load_asked = False
        self._turn = 0
        self._answer: Message | None = None  # the one being written

    def compose(self) -> ComposeResult:
        yield Transcript()
        yield Prompt()
        yield StatusLine()
        yield Footer()

    def on_mount(self) -> None:
        self._status.model = self._settings.name
        self._status.state = "starting"
        self.query_one(Prompt).focus()
        self.set_interval(1 / UPDATES_PER_SECOND, self._drain)
        # Drawn first, loaded second: importing the engine would hold up the first frame.
        self.call_after_refresh(self._load)

    def _load(self) -> None:
        """Asks for the model, once: a first question may come before the first frame."""
        if not self._load_asked:
            self._load_asked = True
            self._engine.post(Load(self._settings))

    # What the reader asks for.

    def on_prompt_sent(self, event: Prompt.Sent) -> None:
        self._load()
        self._turn += 1
        self._answer = Message("assistant", self._settings.name)
        self._transcript.add(Message("user", "You", event.text))
        self._transcript.add(self._answer)
        self.refresh_bindings()
        self._engine.post(Send(self._turn, event.text))

    def on_prompt_refused(self) -> None:
        self._status.hint = "esc stops this answer first"

    def action_stop(self) -> None:
        self._status.state = "stopping"
        self._engine.post(Stop(self._turn))

    def action_new_chat(self) -> None:
        self._engine.post(Stop(self._turn))
        self._engine.post(Clear())
        self._close_answer()
        self._transcript.clear()
        self._status.forget()

    def action_scroll(self, way: str) -> None:
        if way == "page_up":
            self._transcript.scroll_page_up(animate=False)
        else:
            self._transcript.scroll_page_down(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers Esc only while there is something to stop; None draws it dimmed."""
        return None if action == "stop" and self._answer is None else True

    # What the engine reports.

    def _drain(self) -> None:
        if not self.query(StatusLine):  # the reader quit, and the screen is being taken down
            return
        events = self._engine.events
        for _ in range(len(events)):  # not until it is empty: the engine may fill it as fast
            self._handle(events.popleft())
        if self._answer is not None:
            self._answer.flush()

    def _handle(self, event: Event) -> None:
        match event:
            case Loading():
                self._status.state = "loading"
            case Loaded():
                self._status.state = "ready"
            case Failed(turn=None, message=message):
                self._status.state = "no model"
                self._transcript.add(Message("error", "Problem", message))
            case Reading() | Text() | Finished() | Failed():
                if event.turn == self._turn:
                    self._handle_turn(event)

    def _handle_turn(self, event: Reading | Text | Finished | Failed) -> None:
        """Shows progress of the current turn; a turn given up by a new chat only ends."""
        answer = self._answer
        match event:
            case Reading(done=done, total=total) if answer:
                self._status.state = f"reading {done:,} of {total:,} tokens"
            case Text() if answer:
                answer.append(event.text)
                self._status.state = "answering"
                self._status.tokens_per_second = event.tokens_per_second
                self._status.context_tokens = event.context_tokens
            case Finished(reason=reason):
                self._status.state = "ready"
                self._close_answer(NOTES.get(reason, ""))
            case Failed(message=message):
                self._status.state = "ready"
                if answer:
                    self._close_answer("ended by a problem")
                    self._transcript.add(Message("error", "Problem", message))

    def _close_answer(self, note: str = "") -> None:
        if self._answer is not None:
            self._answer.finish(note or ("" if self._answer.text else "empty answer"))
            self._answer = None
            self.query_one(Prompt).busy = False
            self._status.hint = ""
            self.refresh_bindings()

    @property
    def _transcript(self) -> Transcript:
        return self.query_one(Transcript)

    @property
    def _status(self) -> StatusLine:
        return self.query_one(StatusLine)


def open_chat(settings: Settings, engine_factory: Callable[[], Engine] = Engine) -> int:
    """Runs the chat until the reader quits; returns the exit code."""
    sys.setswitchinterval(0.0005)  # keys wait less for the thread that builds MLX graphs
    engine = engine_factory()
    app = ChatApp(engine, settings)
    app.run()
    code = app.return_code or 0
    if not engine.close(SECONDS_TO_CLOSE):
        # The thread is deep inside a load: there is nothing to save, and tearing the
        # interpreter down under it can abort the process.
        sys.stdout.flush()
        os._exit(code)
    return code
