"""Whatever happens in whatever order, the view shows the conversation as it is from its top line on."""

import random

import pytest
from textual.pilot import Pilot

from app.chat.markdown import PLAIN
from app.chat.store.records import Message
from app.chat.widgets.transcript import Transcript
from app.chat.widgets.transcript.block import Block
from app.chat.widgets.transcript.header import Look
from tests.app.chat.snapshot import visible_text
from tests.app.chat.widgets.conversation import Reader, message, paragraphs, read, stub, talk

STEPS = 40


class Chance:
    """Random things that happen to a transcript, and what it must show then."""

    def __init__(self, app: Reader, pilot: Pilot[None], seed: int) -> None:
        self.app, self.pilot, self.random = app, pilot, random.Random(seed)
        self.written: Message | None = None

    @property
    def view(self) -> Transcript:
        return self.app.transcript

    async def happen(self) -> None:
        deeds = [self.scroll, self.key, self.write, self.change, self.resize, self.show, self.find]
        await self.random.choice(deeds)()

    async def scroll(self) -> None:
        to = self.random.choice([self.view.scroll_y + self.random.randint(-40, 40), 0, 10**6, 300])
        self.view.scroll_to(y=to)

    async def key(self) -> None:
        keys = ["j", "k", "g", "G", "space", "pageup", "enter"]
        await self.pilot.press(self.random.choice(keys))

    async def write(self) -> None:
        if self.written is None:
            id = max(self.app.stored) + 1
            self.app.stored[id] = self.written = message(id, "", "assistant", "streaming")
            self.view.add(self.written)
        else:
            self.add_text(paragraphs(self.random.randint(1, 99)) + "\n\n- item\n")
            self.view._write()

    def add_text(self, text: str) -> None:
        assert self.written is not None
        old = self.written
        self.view.append(old.id, text)
        self.written = message(old.id, old.content + text, "assistant", "streaming")
        self.app.stored[old.id] = self.written

    async def change(self) -> None:
        if self.written is not None:
            done = message(self.written.id, self.written.content, "assistant", "stopped")
            self.written = None
        else:
            id = self.random.choice(list(self.app.stored))
            done = message(id, paragraphs(self.random.randint(1, 99)))
        self.app.stored[done.id] = done
        self.view.change(done)

    async def resize(self) -> None:
        await self.pilot.resize_terminal(self.random.choice([40, 80, 130]), self.random.choice([8, 24, 50]))

    async def show(self) -> None:
        self.view._write()
        at = self.random.choice([None, *self.app.stored])
        self.view.show([stub(each) for each in self.app.stored.values()], at)

    async def find(self) -> None:
        self.view.find(self.random.choice(["word word", f"m{self.random.randint(1, 30)}p", ""]), 1)

    def is_right(self) -> None:
        """The rows are the lines of the messages from the top on, rendered afresh."""
        view, layout = self.view, self.view._places
        rows = view.size.height
        assert view.scroll_y == layout.line_of(view.top)
        assert 0 <= view.scroll_y <= view.max_scroll_y
        assert view.virtual_size.height == layout.heights.total
        assert not view.following or view.scroll_y == view.max_scroll_y
        expected: list[str] = []
        index, line = view.top
        while len(expected) < rows and index < len(layout):
            stored = self.app.stored[layout.stubs[index].id]
            block = Block(stored, PLAIN)
            block.folded = stored.id in layout.folded
            lines = range(1, block.height(layout.width))
            texts = ["", *(block.line(number, layout.width, Look()).text.rstrip() for number in lines)]
            expected += texts[line:]
            index, line = index + 1, 0
        shown = [row if text else "" for row, text in zip(self.app.rows, expected, strict=False)]
        assert shown == expected[:rows]
        self.screen_is_fresh(rows)

    def screen_is_fresh(self, rows: int) -> None:
        """What was drawn, changed rows only, is what drawing all of them gives."""
        width = self.view.scrollable_size.width
        screen = [line[:width].rstrip() for line in visible_text(self.app).split("\n")]
        fresh = [self.view.render_line(row).text.rstrip() for row in range(rows)]
        assert screen[:rows] == fresh


@pytest.mark.parametrize("seed", range(3))
def test_the_view_is_right_after_anything(seed: int) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        chance = Chance(app, pilot, seed)
        for _ in range(STEPS):
            await chance.happen()
            await pilot.pause()
            chance.is_right()

    read(talk(30), scenario)
