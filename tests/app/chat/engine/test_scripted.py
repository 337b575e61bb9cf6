"""The engine that tests of the screen use speaks as the real ones do."""

from app.chat.engine import (
    Count,
    Counted,
    Engine,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Reading,
    Status,
    Stop,
    Text,
    Unload,
)
from app.chat.options import Setup
from tests.app.chat.engine.conftest import Start
from tests.app.chat.engine.scripts import script
from tests.app.chat.scripted import ScriptedEngine
from tests.app.chat.waiting import events_until

HELLO = (("user", "Hello"),)


def drained(engine: Engine) -> list[Event]:
    events = list(engine.events)
    engine.events.clear()
    return events


def test_a_turn_has_the_same_events_as_a_real_one(scripted: Start) -> None:
    real, played = scripted(None), ScriptedEngine(["one ", "two", Finished(0, "length")])
    seen: list[list[type[Event]]] = []
    for engine, setup in ((real, script("two")), (played, Setup())):
        engine.post(Load(setup))
        engine.post(Generate(1, HELLO, {}))
        events = events_until(engine, Finished, 1)
        seen.append([type(event) for event in events if isinstance(event, Loaded | Text | Finished)])
        assert events[-1] == Finished(1, "length")
    assert seen[0] == seen[1]


def test_a_turn_without_a_script_waits_for_the_test_or_a_stop() -> None:
    engine = ScriptedEngine()
    engine.post(Generate(1, HELLO, {}))
    engine.say("half ", "an answer")
    assert drained(engine) == [Text(1, "half "), Text(1, "an answer")]
    engine.post(Stop(1))
    assert drained(engine) == [Finished(1, "stopped")]
    engine.post(Generate(2, HELLO, {}))
    engine.fail("broken")
    assert drained(engine) == [Failed(2, "broken")]
    assert engine.running == []
    engine.post(Stop(2))
    assert not engine.events


def test_events_of_a_script_get_the_number_of_their_turn() -> None:
    engine = ScriptedEngine([Reading(0, 1, 2), "text"])
    engine.post(Generate(7, HELLO, {}))
    events = drained(engine)
    assert [getattr(event, "turn", None) for event in events] == [7] * 4
    assert events[-1] == Finished(7, "stop")


def test_what_was_posted_is_recorded_and_questions_are_answered() -> None:
    heard: list[Event] = []
    engine = ScriptedEngine(on_event=heard.append)
    engine.load_error = "no such model"
    for command in (Load(Setup()), Unload(), Count(3, (("user", "three words here"),)), Status()):
        engine.post(command)
    assert engine.of(Load) == [Load(Setup())]
    events = drained(engine)
    assert events == heard
    assert Failed(None, "no such model") in events
    assert Counted(3, 3) in events
    silent = ScriptedEngine("never", silent=True)
    silent.post(Generate(1, HELLO, {}))
    assert not silent.events
    assert silent.close(1)
    assert silent.closed
