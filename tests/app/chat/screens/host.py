"""A screen of its own in an app that does nothing else, and what people do with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from tests.app.chat.snapshot import visible_text
from tests.app.chat.waiting import wait_until

Result = TypeVar("Result")

OPEN = object()


class Host(App[None]):
    """Shows one screen and keeps its result."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.animation_level = "none"
        self.shown, self.result = screen, OPEN

    def on_mount(self) -> None:
        self.push_screen(self.shown, self._keep)

    def _keep(self, result: Any) -> None:
        self.result = result


class Hand(Generic[Result]):
    """A person in front of the screen."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        """What is written on the screen."""
        return visible_text(self.app)

    @property
    def problem(self) -> str:
        """The line that says what is wrong, "" when there is none."""
        told = self.app.screen.query_one("#problem", Static)
        return str(told.render()) if told.display else ""

    @property
    def closed(self) -> bool:
        return self.app.result is not OPEN

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Types where the focus is."""
        for sign in text:
            await self.pilot.press("space" if sign == " " else sign)

    async def until(self, holds: Callable[[], object]) -> None:
        await wait_until(self.pilot, holds)

    async def sees(self, *words: str) -> None:
        """Waits until all of these are written on the screen."""
        await self.until(lambda: all(word in self.text for word in words))

    async def tab_to(self, id: str) -> None:
        """Reaches a widget with Tab alone, as somebody without a mouse must."""
        for _ in range(40):
            if self.app.focused is not None and self.app.focused.id == id:
                return
            await self.pilot.press("tab")
        raise AssertionError(f"Tab never comes to #{id}")

    async def result(self) -> Any:
        await self.until(lambda: self.closed)
        return self.app.result


def show(
    screen: Screen[Any], play: Callable[[Hand[Any]], Awaitable[None]], size: tuple[int, int] = (80, 24)
) -> None:
    """Lets `play` act on the screen in a terminal of this size."""

    async def run() -> None:
        app = Host(screen)
        async with app.run_test(size=size) as pilot:
            await wait_until(pilot, lambda: app.screen is screen)
            await pilot.pause()
            await play(Hand(app, pilot))

    asyncio.run(run())


def buttons(hand: Hand[Any]) -> set[str]:
    """The ids of all buttons that can be pressed."""
    return {str(button.id) for button in hand.app.screen.query(Button) if not button.disabled}


def box(hand: Hand[Any], id: str = "") -> Input:
    return hand.app.screen.query_one(f"#{id}" if id else "Input", Input)
