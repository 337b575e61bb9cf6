"""The engine thread, with a scripted session: what it reports, and what a stop does when."""

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import mlx.core as mx
import pytest

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
from app.chat.settings import Session, Settings
from qwen2_mlx.errors import CheckpointError
from tests.app.chat.scripted import PATIENCE, Gate, ScriptedSession
from tests.app.chat.waiting import events_until

Start = Callable[..., Engine]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts engines whose Loads open the given sessions in turn; closes them afterwards."""
    engines: list[Engine] = []

    def start_engine(*sessions: ScriptedSession) -> Engine:
        left = iter(sessions)
        engines.append(Engine(lambda settings: next(left)))
        engines[-1].post(Load(Settings()))
        return engines[-1]

    yield start_engine
    for engine in engines:
        assert engine.close(PATIENCE)


def pieces(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Text)]


def test_a_turn_is_reported_from_prompt_to_end(start: Start) -> None:
    engine = start(ScriptedSession("one ", "two", finish="length"))
    assert events_until(engine, Loaded) == [Loading("tiny"), Loaded("tiny")]
    engine.post(Send(1, "hi"))
    assert events_until(engine, Finished, 1) == [
        Reading(1, 20, 40),
        Reading(1, 40, 40),
        Text(1, "one ", 46, 63.0),  # 5 reused, 40 of prompt, 1 of answer
        Text(1, "two", 47, 63.0),
        Text(1, "", 48, 63.0),
        Finished(1, "length"),
    ]


def test_all_work_happens_on_one_thread() -> None:
    opened_on: list[threading.Thread] = []
    gate = Gate()
    session = ScriptedSession("a", gate, "b")
    engine = Engine(lambda settings: opened_on.append(threading.current_thread()) or session)
    engine.post(Load(Settings()))
    engine.post(Send(1, "hi"))
    gate.wait()
    engine.post(Stop(1))
    gate.open()
    engine.post(Clear())
    engine.post(Send(2, "hi"))
    events_until(engine, Finished, 2)
    assert engine.close(PATIENCE)
    assert len({*opened_on, *session.threads[1:]}) == 1
    assert threading.current_thread() not in opened_on


def test_the_flags_reach_every_answer() -> None:
    session = ScriptedSession("x")
    engine = Engine(lambda settings: session)
    engine.post(Load(Settings(overrides={"temperature": 0.0, "stop": ["\n"]})))
    engine.post(Send(1, "hi"))
    events_until(engine, Finished, 1)
    assert session.settings["temperature"] == 0.0
    assert session.settings["stop"] == ["\n"]
    assert engine.close(PATIENCE)


def test_stop_keeps_the_partial_answer(start: Start) -> None:
    gate = Gate()
    session = ScriptedSession("half ", gate, "an ", "answer")
    engine = start(session)
    engine.post(Send(1, "hi"))
    gate.wait()
    engine.post(Stop(1))
    gate.open()
    events = events_until(engine, Finished, 1)
    assert events[-1] == Finished(1, STOPPED)
    assert pieces(events) == ["half ", "an "]
    assert session.messages[-1] == {"role": "assistant", "content": "half an "}


def test_stop_ends_the_reading_of_a_prompt(start: Start) -> None:
    gate = Gate()
    session = ScriptedSession("never", prefill=gate)
    engine = start(session)
    engine.post(Send(1, "hi"))
    gate.wait()
    engine.post(Stop(1))
    gate.open()
    events = events_until(engine, Finished, 1)
    assert events[-2:] == [Reading(1, 20, 40), Finished(1, STOPPED)]
    assert session.messages == []


def test_stop_reaches_a_turn_that_still_waits(start: Start) -> None:
    gate = Gate()
    session = ScriptedSession("a", gate, "b", "c")
    engine = start(session)
    engine.post(Send(1, "first"))
    engine.post(Send(2, "second"))
    gate.wait()
    engine.post(Stop(2))
    gate.open()
    events = events_until(engine, Finished, 2)
    assert [event for event in events if isinstance(event, Finished)] == [
        Finished(1, STOPPED),
        Finished(2, STOPPED),
    ]
    assert pieces(events) == ["a", "b"]
    assert session.asked == ["first"]


def test_a_late_stop_spares_the_next_turn(start: Start) -> None:
    engine = start(ScriptedSession("a", "b"))
    engine.post(Send(1, "hi"))
    events_until(engine, Finished, 1)
    engine.post(Stop(1))
    engine.post(Send(2, "again"))
    events = events_until(engine, Finished, 2)
    assert pieces(events) == ["a", "b", ""]
    assert events[-1] == Finished(2, "stop")


def test_a_stop_after_the_last_token_does_not_unfinish_the_answer(start: Start) -> None:
    gate = Gate()
    engine = start(ScriptedSession("a", gate))  # after the gate only the final event is left
    engine.post(Send(1, "hi"))
    gate.wait()
    engine.post(Stop(1))
    gate.open()
    assert events_until(engine, Finished, 1)[-1] == Finished(1, "stop")


def test_clear_forgets_the_conversation(start: Start) -> None:
    session = ScriptedSession("x")
    engine = start(session)
    engine.post(Send(1, "hi"))
    events_until(engine, Finished, 1)
    assert len(session.messages) == 2
    engine.post(Clear())
    engine.post(Send(2, "hello"))
    events_until(engine, Finished, 2)
    assert [message["content"] for message in session.messages] == ["hello", "x"]


def test_a_model_that_does_not_load_says_why_and_the_thread_lives_on() -> None:
    answers: Iterator[Session | Exception] = iter(
        [CheckpointError("cut off; fetch it again"), ScriptedSession("x")]
    )

    def opener(settings: Settings) -> Session:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine = Engine(opener)
    engine.post(Load(Settings("broken")))
    assert events_until(engine, Failed) == [Loading("broken"), Failed(None, "cut off; fetch it again")]
    engine.post(Send(1, "hi"))
    [failed] = events_until(engine, Failed, 1)
    assert isinstance(failed, Failed)
    assert "no model is loaded" in failed.message
    engine.post(Load(Settings("whole")))
    assert events_until(engine, Loaded) == [Loading("whole"), Loaded("whole")]
    assert engine.close(PATIENCE)


def test_a_problem_in_an_answer_is_reported_with_its_turn(start: Start) -> None:
    engine = start(ScriptedSession("half", CheckpointError("broken")))
    engine.post(Send(7, "hi"))
    events = events_until(engine, Failed, 7)
    assert pieces(events) == ["half"]
    assert events[-1] == Failed(7, "broken")


def test_a_bug_is_reported_with_its_kind(start: Start) -> None:
    engine = start(ScriptedSession(ZeroDivisionError("a bug")))
    engine.post(Send(1, "hi"))
    assert events_until(engine, Failed, 1)[-1] == Failed(1, "ZeroDivisionError: a bug")


def test_the_old_model_is_freed_before_the_next_is_opened() -> None:
    sessions: list[weakref.ref[ScriptedSession]] = []
    alive_at_open: list[int] = []

    def opener(settings: Settings) -> Session:
        alive_at_open.append(sum(ref() is not None for ref in sessions))
        session = ScriptedSession("x")
        sessions.append(weakref.ref(session))
        return session

    engine = Engine(opener)
    for turn in range(3):
        engine.post(Load(Settings()))
        engine.post(Send(turn, "hi"))
    events_until(engine, Finished, 2)
    assert alive_at_open == [0, 0, 0]
    assert engine.close(PATIENCE)
    assert sessions[-1]() is None, "closing frees the last one"


def test_closing_ends_an_answer_that_would_go_on_forever() -> None:
    endless = ScriptedSession()
    endless.script = itertools.repeat("on and ")  # type: ignore[assignment]
    engine = Engine(lambda settings: endless)
    engine.post(Load(Settings()))
    engine.post(Send(1, "hi"))
    events_until(engine, Reading, 1)
    assert engine.close(PATIENCE)


def test_closing_does_not_wait_for_a_load_that_hangs() -> None:
    gate = Gate()

    def opener(settings: Settings) -> Session:
        gate()
        return ScriptedSession()

    engine = Engine(opener)
    engine.post(Load(Settings()))
    gate.wait()
    assert not engine.close(0.01)
    gate.open()
    assert engine.close(PATIENCE)


def test_posting_never_waits(start: Start) -> None:
    gate = Gate()
    engine = start(ScriptedSession(gate))
    engine.post(Send(0, "hi"))
    gate.wait()
    before = time.monotonic()
    for turn in range(1, 1000):
        engine.post(Send(turn, "hi"))
        engine.post(Stop(turn))
    assert time.monotonic() - before < 1
    gate.open()
    events_until(engine, Finished, 999)


def test_closing_leaves_mlx_on_the_thread_that_used_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLX left running on a thread that ended often aborts the interpreter at exit."""
    left_on: list[str] = []
    monkeypatch.setattr(mx, "clear_streams", lambda: left_on.append(threading.current_thread().name))
    engine = Engine(lambda settings: ScriptedSession())
    assert engine.close(PATIENCE)
    assert left_on == ["engine"]
