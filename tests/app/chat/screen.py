"""The full-screen chat with a scripted engine, as a reader sees and uses it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widget import Widget

from app.chat.app import ChatApp
from app.chat.config import Config
from app.chat.options import Options
from app.chat.session.session import Session
from app.chat.store import Message, Store
from app.chat.widgets.prompt import Prompt
from tests.app.chat.scripted import Answer, ScriptedEngine
from tests.app.chat.snapshot import visible_text
from tests.app.chat.waiting import wait_until

Scenario = Callable[["ChatScreen"], Awaitable[None]]


class ChatScreen:
    """What a reader sees and does."""

    def __init__(self, app: ChatApp, pilot: Pilot[Any], engine: ScriptedEngine) -> None:
        self.app, self.pilot, self.engine = app, pilot, engine
        self.session, self.store = app.session, app.session.store

    @property
    def prompt(self) -> Prompt:
        return self.app.main.prompt

    @property
    def text(self) -> str:
        """What is written on the screen."""
        return visible_text(self.app)

    @property
    def messages(self) -> list[Message]:
        return [self.session.message(stub.id) for stub in self.session.path]

    @property
    def texts(self) -> list[str]:
        return [message.content for message in self.messages]

    @property
    def box(self) -> str:
        """The name of the screen on top."""
        return type(self.app.screen).__name__

    @property
    def focused(self) -> str:
        return type(self.app.focused).__name__

    def find(self, kind: type[Widget]) -> Any:
        return self.app.main.query_one(kind)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Types a text, line breaks with ctrl+j."""
        names = {"\n": "ctrl+j", " ": "space"}
        await self.pilot.press(*(names.get(character, character) for character in text))

    async def ask(self, text: str) -> None:
        """Asks, and waits until the question stands in the conversation."""
        before = len(self.session.path)
        self.prompt.write(text)
        self.prompt.focus()
        await self.pilot.pause()
        await self.press("enter")
        await self.until(lambda: len(self.session.path) > before or not self.prompt.text)

    async def until(self, holds: Callable[[], object]) -> None:
        await wait_until(self.pilot, holds)

    async def until_box(self, name: str) -> None:
        await self.until(lambda: self.box == name)

    async def until_seen(self, words: str) -> None:
        try:
            await self.until(lambda: words in self.text)
        except AssertionError:
            raise AssertionError(f"{words!r} was never seen:\n{self.text}") from None

    async def until_idle(self) -> None:
        await self.until(lambda: self.session.answering is None and self.session.loading is None)
        await self.pilot.pause()


def play(
    scenario: Scenario,
    folder: Path,
    *answers: Answer,
    size: tuple[int, int] = (100, 30),
    config: Config | None = None,
    options: Options | None = None,
    chat: int | None = None,
    silent: bool = False,
    notices: tuple[str, ...] = (),
    now: Callable[[], float] | None = None,
) -> None:
    """Runs a scenario on the screen of a chat whose store lies in `folder`."""

    async def run() -> None:
        engines: list[ScriptedEngine] = []

        def make(on_event: Any) -> ScriptedEngine:
            engines.append(ScriptedEngine(*answers, on_event=on_event, silent=silent))
            return engines[0]

        with Store.open(folder / "chats.sqlite") as store:
            session = Session(store, make, options or Options(), folder / "library.sqlite")
            times = {} if now is None else {"now": now}
            app = ChatApp(session, config or Config(), chat, notices, **times)
            try:
                async with app.run_test(size=size, notifications=True) as pilot:
                    await wait_until(pilot, lambda: session.model is not None or silent)
                    await scenario(ChatScreen(app, pilot, engines[0]))
            finally:
                session.close(1.0)

    asyncio.run(run())
