"""Fixtures for tests of the levels: a library of generated documents and an agent that asks about them."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.ask.agent import Agent, Options
from app.ask.answer import Answer
from app.ask.events import Event, Final
from app.ask.library import File, Library
from tests.app.ask.levels.facts import FACTS
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.writing import chronicle, document

#: Sentences of the chronicles that every library holds.
LENGTHS = (120, 400, 1000)


@pytest.fixture
def library(tmp_path: Path, indexed: Path) -> Iterator[Library]:
    with Library.open(Path(shutil.copy(indexed, tmp_path))) as opened:
        yield opened


class Desk:
    """Documents on a desk, and questions about them."""

    def __init__(self, library: Library) -> None:
        self.library, self.oracle = library, Oracle()
        self.files: list[File] = []
        self.events: list[Event] = []

    def put(self, text: str, name: str = "chronicle.txt", pages: bool = False) -> File:
        """Adds a document."""
        self.files.append(self.library.add(document(text, name, pages), None))
        return self.files[-1]

    def take(self, sentences: int) -> File:
        """Adds one of the long chronicles, which has pages."""
        name = f"{sentences}.txt"
        self.files.append(next(file for file in self.library.files() if file.name == name))
        return self.files[-1]

    def ask(
        self,
        question: str,
        *,
        stopped: Callable[[], bool] = lambda: False,
        previous: tuple[str, str] | None = None,
        now: Callable[[], float] = time.monotonic,
        **options: object,
    ) -> Answer:
        """The final answer; what happened is in `events`."""
        chosen = Options(**options)  # type: ignore[arg-type]
        agent = Agent(self.library, self.oracle, chosen, stopped, now=now)
        self.events = list(agent.ask(question, self.files, previous))
        assert [isinstance(event, Final) for event in self.events].index(True) == len(self.events) - 1
        final = self.events[-1]
        assert isinstance(final, Final)
        return final.answer

    def happened(self, kind: type) -> list:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that holds chronicles with all facts, indexed: doing that takes longest."""
    path = tmp_path_factory.mktemp("indexed") / "library.sqlite"
    with Library.open(path) as opened:
        desk = Desk(opened)
        for sentences in LENGTHS:
            desk.put(chronicle(FACTS, sentences), f"{sentences}.txt", pages=True)
        for _ in Agent(opened, desk.oracle).prepare(desk.files):
            pass
    return path


@pytest.fixture
def desk(library: Library) -> Desk:
    return Desk(library)
