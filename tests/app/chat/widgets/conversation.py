"""An app with nothing but a transcript, and messages for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from textual.app import App, ComposeResult
from textual.message import Message as Event
from textual.pilot import Pilot

from app.chat.store.records import Citation, Generation, Message, State, Stub
from app.chat.widgets.transcript import Transcript
from tests.app.chat.waiting import wait_until

NOON = 1_700_000_000.0

MADE = Generation(model="Qwen/Qwen2.5-7B-Instruct", output_tokens=318, output_tps=63.2)


def message(
    id: int,
    content: str,
    role: Literal["user", "assistant"] | None = None,
    state: State = "complete",
    **fields: Any,
) -> Message:
    """A message whose parent is the one before it; odd ids ask, even ones answer."""
    role = role or ("user" if id % 2 else "assistant")
    standard = Message(
        id=id,
        chat=1,
        parent=id - 1 or None,
        depth=id - 1,
        role=role,
        content=content,
        state=state,
        error="",
        edited_from=None,
        created=NOON,
        finished=None,
        deleted=None,
        sibling=1,
        siblings=1,
        generation=MADE if role == "assistant" else None,
    )
    return replace(standard, **fields)


def citation(number: int) -> Citation:
    """A quote from somewhere."""
    return Citation(number, 1, "0" * 64, "lease.pdf", f"p. {number}", 0, 5, "quote", "exact", 1.0)


def paragraphs(id: int, seed: int = 0) -> str:
    """Words that say whose they are, in a few paragraphs of different lengths."""
    random_source = random.Random(f"{seed}/{id}")
    return "\n\n".join(
        f"m{id}p{number} " + " ".join(["word"] * random_source.randint(0, 80))
        for number in range(random_source.randint(1, 4))
    )


def talk(count: int) -> list[Message]:
    """So many messages with paragraphs."""
    return [message(id, paragraphs(id)) for id in range(1, count + 1)]


class Reader(App[None]):
    """A transcript of `messages`, and a record of what was fetched and posted."""

    CSS = "Transcript { height: 1fr; }"

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        super().__init__()
        self.stored = {message.id: message for message in messages}
        self.loads: list[int] = []
        self.posted: list[Event] = []

    def compose(self) -> ComposeResult:
        yield Transcript(self.load, self.load_many, now=lambda: NOON)

    def load(self, id: int) -> Message:
        self.loads.append(id)
        return self.stored[id]

    def load_many(self, ids: Sequence[int]) -> list[Message]:
        return [self.stored[id] for id in ids]

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)

    @property
    def path(self) -> list[Stub]:
        """All stored messages as one branch."""
        return [stub(message) for message in self.stored.values()]

    @property
    def rows(self) -> list[str]:
        """What the view shows, without the bar and the scroll bar."""
        view = self.transcript
        return [view.render_line(row).text[2:].rstrip() for row in range(view.size.height)]

    @property
    def marked(self) -> list[str]:
        """The rows that have the bar."""
        view = self.transcript
        drawn = [view.render_line(row).text for row in range(view.size.height)]
        return [text[2:].rstrip() for text in drawn if text.startswith("▌")]

    def row_with(self, text: str) -> int:
        """The first row of the view in which a text stands."""
        return next(number for number, row in enumerate(self.rows) if text in row)

    def on_transcript_action(self, event: Transcript.Action) -> None:
        self.posted.append(event)

    def on_transcript_citation_opened(self, event: Transcript.CitationOpened) -> None:
        self.posted.append(event)

    def on_transcript_link_opened(self, event: Transcript.LinkOpened) -> None:
        self.posted.append(event)

    def on_transcript_copied(self, event: Transcript.Copied) -> None:
        self.posted.append(event)

    def on_mount(self) -> None:
        self.transcript.focus()


def stub(message: Message) -> Stub:
    """A message without its text."""
    return Stub(
        message.id, message.role, message.state, len(message.content), message.sibling, message.siblings
    )


Scenario = Callable[[Reader, Pilot[None]], Awaitable[None]]


def read(messages: Sequence[Message], scenario: Scenario, size: tuple[int, int] = (80, 24)) -> None:
    """Plays a scenario on a transcript that shows the end of `messages`."""

    async def play() -> None:
        app = Reader(messages)
        async with app.run_test(size=size) as pilot:
            app.transcript.show(app.path)
            await wait_until(pilot, lambda: app.transcript.has_focus)
            await pilot.pause()
            await scenario(app, pilot)

    asyncio.run(play())
