"""The protocol, the same for an engine on a thread and for one in a process of its own."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.chat.engine import (
    Ask,
    Count,
    Counted,
    Engine,
    Event,
    Failed,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
    Loading,
    Memory,
    Reading,
    Stats,
    Status,
    Stop,
    Text,
    Unload,
    Unloaded,
)
from app.chat.options import Setup
from tests.app.chat.engine.conftest import Start
from tests.app.chat.engine.scripts import FileGate, script
from tests.app.chat.scripted import model_info
from tests.app.chat.waiting import PATIENCE, events_until


def hello(turn: int, **settings: Any) -> Generate:
    return Generate(turn, (("user", "Hello"),), settings)


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Text)]


def load(engine: Engine, name: str, folder: Path = Path()) -> None:
    engine.post(Load(script(name, folder)))


# Answers


def test_a_turn_is_reported_from_prompt_to_end(engine: Engine) -> None:
    setup = script("two")
    engine.post(Load(setup))
    assert events_until(engine, Loaded) == [Loading(setup), Loaded(model_info(setup))]
    engine.post(hello(1))
    events = events_until(engine, Finished, 1)
    assert [event for event in events if not isinstance(event, Stats)] == [
        Reading(1, 5, 45, 5, None, events[0].notice),  # type: ignore[union-attr]
        Reading(1, 25, 45, 5, events[1].left),  # type: ignore[union-attr]
        Reading(1, 45, 45, 5, 0.0),
        Text(1, "one "),
        Text(1, "two"),
        Finished(1, "length"),
    ]
    last = [event for event in events if isinstance(event, Stats)][-1]
    assert events.index(last) == len(events) - 2
    assert (last.prompt_tokens, last.reused_tokens, last.output_tokens, last.context_tokens) == (40, 5, 3, 48)


def test_the_conversation_and_its_settings_reach_the_model_as_they_are(engine: Engine) -> None:
    load(engine, "echo")
    conversation = (("system", "Be brief."), ("user", "a\n<|im_end|>"), ("assistant", "b"), ("user", "c"))
    engine.post(Generate(1, conversation, {"seed": 7, "stop": ["\n"]}, resume=True, context=99))
    assert json.loads("".join(texts(events_until(engine, Finished, 1)))) == {
        "messages": [{"role": role, "content": content} for role, content in conversation],
        "seed": 7,
        "stop": ["\n"],
        "resume": True,
        "context": 99,
    }


def test_statistics_come_ten_times_a_second_at_most_and_in_the_end(engine: Engine) -> None:
    load(engine, "slow")
    events_until(engine, Loaded)
    started = time.monotonic()
    engine.post(hello(1))
    events = events_until(engine, Finished, 1)
    spent = time.monotonic() - started
    stats = [event for event in events if isinstance(event, Stats)]
    assert len(texts(events)) == 50
    assert 3 <= len(stats) <= 10 * spent + 2
    assert stats[-1].output_tokens == 51


# Stopping


def test_stop_keeps_the_partial_answer(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held", tmp_path)
    engine.post(hello(1))
    gate.wait()
    engine.post(Stop(1))
    time.sleep(0.05)
    gate.open()
    events = events_until(engine, Finished, 1)
    assert events[-1] == Finished(1, "stopped")
    assert texts(events) == ["half ", "an "]
    assert isinstance(events[-2], Stats)


def test_stop_ends_the_reading_of_a_prompt(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held-in-prompt", tmp_path)
    engine.post(hello(1))
    gate.wait()
    engine.post(Stop(1))
    time.sleep(0.05)
    gate.open()
    events = events_until(engine, Finished, 1)
    assert events[-1] == Finished(1, "stopped")
    assert isinstance(events[-2], Reading)
    assert not texts(events)


def test_stop_reaches_a_turn_that_still_waits(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held", tmp_path)
    engine.post(hello(1))
    engine.post(hello(2))
    gate.wait()
    engine.post(Stop(2))
    time.sleep(0.05)
    gate.open()
    events = events_until(engine, Finished, 2)
    assert [event for event in events if isinstance(event, Finished)] == [
        Finished(1, "stopped"),
        Finished(2, "stopped"),
    ]
    assert texts(events) == ["half ", "an "]


def test_a_late_stop_spares_the_next_turn(engine: Engine) -> None:
    load(engine, "two")
    engine.post(hello(1))
    events_until(engine, Finished, 1)
    engine.post(Stop(1))
    engine.post(hello(2))
    events = events_until(engine, Finished, 2)
    assert (texts(events), events[-1]) == (["one ", "two"], Finished(2, "length"))


def test_a_stop_after_the_last_token_does_not_unfinish_the_answer(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held-at-end", tmp_path)
    engine.post(hello(1))
    gate.wait()
    engine.post(Stop(1))
    time.sleep(0.05)
    gate.open()
    assert events_until(engine, Finished, 1)[-1] == Finished(1, "stop")


# Questions in between


def test_questions_about_numbers_are_answered_in_the_middle_of_an_answer(engine: Engine) -> None:
    load(engine, "endless")
    engine.post(hello(1))
    events_until(engine, Text, 1)
    engine.post(Count(8, (("user", "four"),)))
    engine.post(Fit(9, Setup("tiny"), 4096))
    engine.post(Status())
    events = events_until(engine, Memory)
    assert Counted(8, 4) in events
    assert any(isinstance(event, Fitted) and event.ticket == 9 and event.fits for event in events)
    assert not any(isinstance(event, Finished) for event in events)
    assert events[-1].limit == model_info().limit  # type: ignore[union-attr]
    engine.post(Stop(1))
    assert events_until(engine, Finished, 1)[-1] == Finished(1, "stopped")


def test_questions_are_answered_while_a_prompt_is_read(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held-in-prompt", tmp_path)
    engine.post(hello(1))
    gate.wait()
    engine.post(Count(8, (("user", "four"),)))
    time.sleep(0.05)
    gate.open()
    events = events_until(engine, Finished, 1)
    counted, said = events.index(Counted(8, 4)), events.index(Text(1, "never"))
    assert counted < said


def test_a_newer_count_takes_the_place_of_one_that_waits(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held", tmp_path)
    engine.post(hello(1))
    gate.wait()
    for ticket in range(50):
        engine.post(Count(ticket, (("user", "x" * ticket),)))
    time.sleep(0.2)
    gate.open()
    events = events_until(engine, Finished, 1)
    assert [event for event in events if isinstance(event, Counted)] == [Counted(49, 49)]


def test_each_fit_is_answered(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held", tmp_path)
    engine.post(hello(1))
    gate.wait()
    for ticket in range(3):
        engine.post(Fit(ticket, Setup("tiny"), 1024))
    gate.open()
    seen = events_until(engine, Finished, 1)
    while len(tickets := [event.ticket for event in seen if isinstance(event, Fitted)]) < 3:
        seen += events_until(engine, Fitted)
    assert tickets == [0, 1, 2]


def test_what_the_template_refuses_counts_nothing_and_ends_nothing(engine: Engine) -> None:
    load(engine, "two")
    engine.post(Count(1, (("user", "refused"),)))
    assert events_until(engine, Counted)[-1] == Counted(1, 0)
    engine.post(Count(2, ()))
    assert events_until(engine, Counted)[-1] == Counted(2, 0)


# Problems


def test_a_model_that_does_not_load_says_why_and_the_engine_lives_on(engine: Engine) -> None:
    load(engine, "broken")
    assert events_until(engine, Failed) == [
        Loading(script("broken")),
        Failed(None, "the weights are cut off; fetch them again"),
    ]
    engine.post(hello(1))
    [failed] = events_until(engine, Failed, 1)
    assert "no model is loaded" in failed.message  # type: ignore[union-attr]
    load(engine, "two")
    events_until(engine, Loaded)
    engine.post(hello(2))
    assert events_until(engine, Finished, 2)[-1] == Finished(2, "length")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("problem", "broken"),
        ("bug", "ZeroDivisionError: a bug"),
        ("full", "the memory is full; load a smaller model, or set a smaller context"),
    ],
)
def test_what_goes_wrong_in_an_answer_is_reported_with_its_turn(
    engine: Engine, name: str, message: str
) -> None:
    load(engine, name)
    engine.post(hello(7))
    assert events_until(engine, Failed, 7)[-1] == Failed(7, message)
    engine.post(Count(1, (("user", "four"),)))
    assert events_until(engine, Counted)[-1] == Counted(1, 4)


def test_a_question_about_documents_that_cannot_be_answered_fails_with_its_turn(
    engine: Engine, tmp_path: Path
) -> None:
    load(engine, "two")
    engine.post(Ask(3, "What?", (1,), tmp_path / "library.sqlite"))
    assert events_until(engine, Failed, 3)[-1] == Failed(3, "a script plays no roles")


def test_nothing_is_counted_without_a_model(engine: Engine) -> None:
    engine.post(Load(script("two")))
    engine.post(Unload())
    assert isinstance(events_until(engine, Unloaded)[-1], Unloaded)
    engine.post(Count(1, (("user", "four"),)))
    assert events_until(engine, Counted)[-1] == Counted(1, 0)
    engine.post(hello(1))
    assert "no model is loaded" in events_until(engine, Failed, 1)[-1].message  # type: ignore[union-attr]


# Posting, waking and closing


def test_every_event_is_seen_before_it_is_among_the_others(scripted: Start) -> None:
    seen: list[tuple[Event, bool, threading.Thread]] = []
    waiting: list[Engine] = []

    def on_event(event: Event) -> None:
        seen.append((event, event in waiting[0].events, threading.current_thread()))

    waiting.append(scripted(on_event))
    load(waiting[0], "two")
    waiting[0].post(hello(1))
    events = events_until(waiting[0], Finished, 1)
    assert [event for event, _, _ in seen] == events
    assert not any(early for _, early, _ in seen)
    assert {thread for _, _, thread in seen}.isdisjoint({threading.current_thread()})


def test_a_listener_that_fails_loses_no_event(scripted: Start) -> None:
    def on_event(event: Event) -> None:
        raise OSError("the disk is full")

    engine = scripted(on_event)
    load(engine, "two")
    engine.post(hello(1))
    assert texts(events_until(engine, Finished, 1)) == ["one ", "two"]


def test_a_screen_that_fails_to_wake_loses_no_event(engine: Engine) -> None:
    def fail() -> None:
        raise RuntimeError("the screen is gone")

    engine.wake = fail
    load(engine, "two")
    engine.post(hello(1))
    assert texts(events_until(engine, Finished, 1)) == ["one ", "two"]


def test_an_event_where_none_was_waiting_wakes_the_screen(engine: Engine) -> None:
    woken = threading.Event()
    engine.wake = woken.set
    load(engine, "two")
    assert woken.wait(PATIENCE)
    events_until(engine, Loaded)
    woken.clear()
    engine.post(Count(1, (("user", "four"),)))
    assert woken.wait(PATIENCE)


def test_posting_never_waits(engine: Engine, tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    load(engine, "held", tmp_path)
    engine.post(hello(0))
    gate.wait()
    long = "x" * 1_000_000
    before = time.monotonic()
    for turn in range(1, 30):
        engine.post(Generate(turn, (("user", long),), {}))
        engine.post(Stop(turn))
    assert time.monotonic() - before < 1
    gate.open()
    events_until(engine, Finished, 29)


def test_closing_ends_an_answer_that_would_go_on_forever(engine: Engine) -> None:
    load(engine, "endless")
    engine.post(hello(1))
    events_until(engine, Text, 1)
    before = time.monotonic()
    assert engine.close(PATIENCE)
    assert time.monotonic() - before < PATIENCE / 3


def test_closing_at_once_and_twice_does_no_harm(scripted: Start) -> None:
    engine = scripted(None)
    assert engine.close(PATIENCE)
    assert engine.close(PATIENCE)
    engine.post(hello(1))
