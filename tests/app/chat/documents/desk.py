"""What questions about documents need in tests: a store in memory, and everything that was told."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from app.chat.options import Options
from app.chat.session.asking import Documents
from app.chat.session.changes import Change
from app.chat.store.records import Attachment, Chat, Message, Reading
from tests.app.chat.documents.waiting import until

CHAT = 7


class MemoryStore:
    """The part of the store that documents use."""

    def __init__(self) -> None:
        self.attached: dict[int, dict[int, Attachment]] = {}
        self.read: dict[int, list[Reading]] = {}
        self.commits = 0
        self.stored: dict[int, Message] = {}

    def attach(self, chat: int, attachment: Attachment) -> None:
        self.attached.setdefault(chat, {})[attachment.file] = attachment

    def detach(self, chat: int, file: int) -> None:
        self.attached.get(chat, {}).pop(file, None)

    def attachments(self, chat: int) -> list[Attachment]:
        return list(self.attached.get(chat, {}).values())

    def add_readings(self, message: int, readings: Sequence[Reading]) -> None:
        self.commits += 1
        self.read.setdefault(message, []).extend(readings)

    def message(self, id: int) -> Message:
        return self.stored[id]

    def put(self, id: int, **values: object) -> Message:
        """Stores an answer that is being written, or what `values` say."""
        message = Message(
            id, CHAT, None, 0, "assistant", "", "streaming", "", None, time.time(), None, None, 1, 1
        )
        self.stored[id] = replace(message, **values)  # type: ignore[arg-type]
        return self.stored[id]


class Desk:
    """Documents of one chat, with what was told."""

    def __init__(self, library: Path) -> None:
        self.store = MemoryStore()
        self.told: list[Change] = []
        self.documents = Documents(self.store, library, self.told.append)  # type: ignore[arg-type]

    def until(self, holds: Callable[[], object]) -> None:
        until(holds, self.documents.pump)

    def attach(self, name: str) -> None:
        """Attaches, and waits until nothing is being opened any more."""
        self.documents.attach(CHAT, name)
        self.settle()

    def settle(self) -> None:
        self.until(lambda: all(item.state != "opening" for item in self.documents.items))

    def changes(self, kind: type) -> list:
        """What was told of one kind."""
        return [change for change in self.told if isinstance(change, kind)]

    def options(self) -> Options:
        return Options()


def chat_record(id: int) -> Chat:
    """A chat as the store gives it."""
    return Chat(id, "", False, Options(), None, "", "", False, False, None, 0.0, 0.0)
