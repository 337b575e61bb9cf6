"""A program that is open all day does not grow: memory after much use is what it was after a little."""

import asyncio
import gc
import itertools
import os
from pathlib import Path

import pytest

from app.chat.app import ChatApp
from app.chat.config import Config
from app.chat.engine import OnEvent
from app.chat.options import Options
from app.chat.session.session import Session
from app.chat.store import Store
from benchmarks.tui.measure import resident
from tests.app.chat.scripted import ScriptedEngine
from tests.app.chat.waiting import wait_until

MESSAGES = 10_000
SWITCHES = 1_000
ANSWERS = 100
CHATS = 20
WARM_UP = 10  # percent of it all, after which memory should stay
GROWTH = 1.10

ANSWER = """\
A list with **bold**, `code` and 中文:

- one
- two, which goes on for so long that it is wrapped at the end of a line of the screen

```python
def harbour(stone: int) -> str:
    return f"{stone + 1}"
```

| name | where |
|------|------:|
| boat | 12 |
"""


def fill(store: Store) -> list[int]:
    """Chats of which the first is long; returns their ids."""
    chats = [store.new_chat(Options(), f"chat {number}").id for number in range(CHATS)]
    lengths = [MESSAGES - 40 * (CHATS - 1), *[40] * (CHATS - 1)]
    for chat, length in zip(chats, lengths, strict=True):
        parent = None
        for number in range(length):
            role = "assistant" if number % 2 else "user"
            parent = store.add_message(chat, parent, role, f"{number} {ANSWER}").id
    return chats


@pytest.mark.slow
def test_switching_and_answering_all_day_takes_no_more_memory(tmp_path: Path) -> None:
    async def run(store: Store, chats: list[int]) -> tuple[int, int]:
        def make_engine(on_event: OnEvent) -> ScriptedEngine:
            answers = itertools.repeat(ANSWER.split(" "), ANSWERS)
            return ScriptedEngine(*answers, on_event=on_event)

        session = Session(store, make_engine, Options(), tmp_path / "library.sqlite")
        engine = session.engine
        assert isinstance(engine, ScriptedEngine)
        app = ChatApp(session, Config())
        warm = 0
        async with app.run_test(size=(120, 40)) as pilot:
            await wait_until(pilot, lambda: session.model)
            for number in range(SWITCHES):
                session.open_chat(chats[number % CHATS])
                await pilot.pause()
                if number % (SWITCHES // ANSWERS) == 0:
                    session.send("and now?")
                    await wait_until(pilot, lambda: session.answering is None)
                    engine.posted.clear()  # what it was asked holds whole conversations
                if number == SWITCHES * WARM_UP // 100:
                    warm = memory()
            end = memory()
        session.close(5)
        return warm, end

    with Store.open(tmp_path / "chats.sqlite") as store:
        warm, end = asyncio.run(run(store, fill(store)))
    assert end < GROWTH * warm, f"{warm / 1e6:.0f} MB after a while, {end / 1e6:.0f} MB at the end"


def memory() -> int:
    gc.collect()
    return resident(os.getpid())
