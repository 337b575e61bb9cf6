"""The engine thread with the bundled model behind it."""

from app.chat.engine import STOPPED, Clear, Engine, Event, Finished, Load, Loaded, Send, Stop, Text
from app.chat.settings import Settings
from tests.app.chat.scripted import PATIENCE
from tests.app.chat.waiting import events_until

MODEL = "tiny"
TALKATIVE = {"temperature": 50.0, "seed": 1, "max_tokens": 100_000}


def context_sizes(events: list[Event]) -> list[int]:
    return [event.context_tokens for event in events if isinstance(event, Text)]


def test_a_conversation_goes_on_after_a_stop_and_starts_anew_after_a_clear() -> None:
    engine = Engine()
    engine.post(Load(Settings(MODEL, overrides=TALKATIVE)))
    events_until(engine, Loaded)

    engine.post(Send(1, "Tell me everything."))
    first = events_until(engine, Text, 1)
    engine.post(Stop(1))
    first += events_until(engine, Finished, 1)
    assert first[-1] == Finished(1, STOPPED)

    engine.post(Send(2, "And then?"))
    second = events_until(engine, Text, 2)
    engine.post(Stop(2))
    events_until(engine, Finished, 2)
    assert context_sizes(second)[0] > context_sizes(first)[-1], "the second turn holds the first"

    engine.post(Clear())
    engine.post(Send(3, "Tell me everything."))
    third = events_until(engine, Text, 3)
    assert context_sizes(third)[0] == context_sizes(first)[0]
    assert engine.close(PATIENCE)
