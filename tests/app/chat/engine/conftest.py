"""Engines of both kinds, for the same tests."""

from collections.abc import Callable, Iterator

import pytest

from app.chat.engine import Engine, pipe_engine, thread_engine
from app.chat.engine.interface import OnEvent
from tests.app.chat.engine import scripts
from tests.app.chat.waiting import PATIENCE

#: Starts an engine; what it is called with sees every event.
Start = Callable[[OnEvent | None], Engine]

KINDS = ("thread", "pipe")


@pytest.fixture(params=KINDS)
def scripted(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts engines whose models play the scripts of `scripts`; closes them afterwards."""
    engines: list[Engine] = []

    def start(on_event: OnEvent | None) -> Engine:
        if request.param == "thread":
            engines.append(thread_engine(on_event, scripts.open_script))
        else:
            engines.append(pipe_engine(on_event, scripts.MODULE))
        return engines[-1]

    yield start
    for engine in engines:
        assert engine.close(PATIENCE)


@pytest.fixture
def engine(scripted: Start) -> Engine:
    """An engine of either kind with scripted models."""
    return scripted(None)


@pytest.fixture(params=KINDS)
def real(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of either kind with real models."""
    engine = thread_engine() if request.param == "thread" else pipe_engine()
    yield engine
    assert engine.close(PATIENCE)


@pytest.fixture
def tiny() -> Iterator[Engine]:
    """An engine on a thread with real models."""
    engine = thread_engine()
    yield engine
    assert engine.close(PATIENCE)
