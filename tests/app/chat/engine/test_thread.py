"""What holds for an engine on a thread of this process: one thread, one model, and a clean end."""

import threading
import weakref
from pathlib import Path
from random import Random

import mlx.core as mx
import pytest

from app.ask.answer import Answer
from app.ask.documents.read import read_document
from app.ask.events import Draft, Final, Text, Working
from app.ask.library import Library
from app.chat.engine import (
    Ask,
    Count,
    Counted,
    Event,
    Finished,
    Generate,
    Load,
    Loaded,
    Memory,
    Status,
    Stop,
    Told,
    Unload,
    Unloaded,
    asking,
    thread_engine,
)
from app.chat.engine.opened import Opened
from app.chat.options import Setup
from app.eval.chronicle import invent_facts, weave
from qwen2_mlx.session import ChatSession
from tests.app.chat.engine.scripts import FileGate, ScriptedModel, open_script, script
from tests.app.chat.scripted import ScriptedSession
from tests.app.chat.waiting import PATIENCE, events_until

HELLO = (("user", "Hello"),)


def test_all_work_happens_on_one_thread(tmp_path: Path) -> None:
    gate = FileGate(tmp_path)
    session = ScriptedSession("a", gate, "b")
    opened_on: list[threading.Thread] = []

    def opener(setup: Setup) -> Opened:
        opened_on.append(threading.current_thread())
        return ScriptedModel(setup, session)

    engine = thread_engine(opener=opener)
    engine.post(Load(Setup()))
    engine.post(Generate(1, HELLO, {}))
    gate.wait()
    engine.post(Stop(1))
    gate.open()
    engine.post(Generate(2, HELLO, {}))
    engine.post(Load(Setup()))
    events_until(engine, Finished, 2)
    assert engine.close(PATIENCE)
    assert len({*opened_on, *session.threads[1:]}) == 1
    assert threading.current_thread() not in opened_on


def test_the_old_model_is_freed_before_the_next_is_opened() -> None:
    models: list[weakref.ref[ScriptedModel]] = []
    alive_at_open: list[int] = []

    def opener(setup: Setup) -> Opened:
        alive_at_open.append(sum(ref() is not None for ref in models))
        model = ScriptedModel(setup, ScriptedSession("x"))
        models.append(weakref.ref(model))
        return model

    engine = thread_engine(opener=opener)
    for turn in range(3):
        engine.post(Load(Setup()))
        engine.post(Generate(turn, HELLO, {}))
    events_until(engine, Finished, 2)
    assert alive_at_open == [0, 0, 0]
    engine.post(Unload())
    events_until(engine, Unloaded)
    assert models[-1]() is None
    assert engine.close(PATIENCE)


def test_an_unloaded_model_gives_its_memory_back() -> None:
    engine = thread_engine()
    engine.post(Load(Setup("tiny")))
    info = events_until(engine, Loaded)[-1].info  # type: ignore[union-attr]
    engine.post(Generate(1, HELLO, {"temperature": 0.0}))
    events_until(engine, Finished, 1)
    engine.post(Status())
    before = events_until(engine, Memory)[-1].active  # type: ignore[union-attr]
    engine.post(Unload())
    engine.post(Status())
    after = events_until(engine, Memory)[-1].active  # type: ignore[union-attr]
    assert before - after >= info.weight_bytes
    assert engine.close(PATIENCE)


def test_closing_does_not_wait_for_a_load_that_hangs(tmp_path: Path) -> None:
    engine = thread_engine(opener=open_script)
    engine.post(Load(script("hanging", tmp_path)))
    FileGate(tmp_path).wait()
    assert not engine.close(0.01)
    FileGate(tmp_path).open()
    assert engine.close(PATIENCE)


def test_closing_leaves_mlx_on_the_thread_that_used_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLX left running on a thread that ended often aborts the interpreter at exit."""
    left_on: list[str] = []
    monkeypatch.setattr(mx, "clear_streams", lambda: left_on.append(threading.current_thread().name))
    engine = thread_engine(opener=open_script)
    assert engine.close(PATIENCE)
    assert left_on == ["engine"]


def test_a_count_behind_a_load_counts_with_the_new_model() -> None:
    engine = thread_engine(opener=open_script)
    engine.post(Load(script("two")))
    engine.post(Count(1, (("user", "four"),)))
    assert events_until(engine, Counted)[-1] == Counted(1, 4)
    assert engine.close(PATIENCE)


# Documents


@pytest.fixture
def chronicle(tmp_path: Path) -> tuple[Path, int, str]:
    """A library with a document of a few windows; its id, and a question whose answer it holds."""
    rng = Random(77)
    facts = invent_facts(rng, 3)
    filler = [f"The bridge of house {number} was quiet." for number in range(400)]
    path = tmp_path / "chronicle.txt"
    path.write_text(weave(rng, [fact.answer for fact in facts], filler))
    library = tmp_path / "library.sqlite"
    with Library.open(library) as opened:
        return library, opened.add(read_document(path), path).id, facts[0].question(rng)


def stopped_at(kind: type[object], chronicle: tuple[Path, int, str], mode: str = "read") -> list[Event]:
    """The events of a search that is stopped, by the listener, at the first event of the agent of a kind."""
    library, file, question = chronicle

    def on_event(event: Event) -> None:
        if isinstance(event, Told) and isinstance(event.event, kind):
            engine.post(Stop(1))

    engine = thread_engine(on_event)
    engine.post(Load(Setup("tiny")))
    engine.post(Ask(1, question, (file,), library, mode=mode))  # type: ignore[arg-type]
    events = events_until(engine, Finished, 1)
    assert engine.close(PATIENCE)
    assert events[-1] == Finished(1, "stopped")
    return events


def test_a_search_that_is_stopped_ends_with_the_best_so_far(chronicle: tuple[Path, int, str]) -> None:
    told = [event.event for event in stopped_at(Working, chronicle, "auto") if isinstance(event, Told)]
    assert not any(isinstance(event, Final) for event in told), "indexing was stopped: nothing was found"
    told = [event.event for event in stopped_at(Draft, chronicle) if isinstance(event, Told)]
    assert isinstance(told[-1], Final)
    assert isinstance(told[-1].answer, Answer)
    assert told[-1].answer.status in ("partial", "found")


def test_an_answer_that_goes_on_long_after_a_stop_is_cut(
    chronicle: tuple[Path, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ROUND_OFF", -1.0)
    told = [event.event for event in stopped_at(Text, chronicle, "retrieve") if isinstance(event, Told)]
    assert sum(isinstance(event, Text) for event in told) == 1
    assert isinstance(told[-1], Final)


def test_an_answer_that_was_cut_is_not_called_finished(
    chronicle: tuple[Path, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, file, question = chronicle

    def on_event(event: Event) -> None:
        if isinstance(event, Told) and isinstance(event.event, Text):
            monkeypatch.setattr(asking, "ROUND_OFF", -1.0)
            engine.post(Stop(1))
        if isinstance(event, Told) and isinstance(event.event, Final):
            monkeypatch.setattr(asking, "ROUND_OFF", PATIENCE)

    engine = thread_engine(on_event)
    engine.post(Load(Setup("tiny")))
    engine.post(Ask(1, question, (file,), library, mode="retrieve"))
    assert events_until(engine, Finished, 1)[-1] == Finished(1, "stopped")
    assert engine.close(PATIENCE)


def test_a_stop_after_the_last_event_does_not_unfinish_the_answer(chronicle: tuple[Path, int, str]) -> None:
    library, file, question = chronicle

    def on_event(event: Event) -> None:
        if isinstance(event, Told) and isinstance(event.event, Final):
            engine.post(Stop(1))

    engine = thread_engine(on_event)
    engine.post(Load(Setup("tiny")))
    engine.post(Ask(1, question, (file,), library, mode="retrieve"))
    assert events_until(engine, Finished, 1)[-1] == Finished(1, "stop")
    assert engine.close(PATIENCE)


def test_questions_are_answered_while_documents_are_searched(chronicle: tuple[Path, int, str]) -> None:
    library, file, question = chronicle

    def on_event(event: Event) -> None:
        if isinstance(event, Told) and not isinstance(event.event, Final):
            engine.post(Count(1, HELLO))

    engine = thread_engine(on_event)
    engine.post(Load(Setup("tiny")))
    engine.post(Ask(1, question, (file,), library, mode="read"))
    events = events_until(engine, Finished, 1)
    assert sum(isinstance(event, Counted) for event in events) > 3
    assert engine.close(PATIENCE)


def test_the_chats_cache_goes_where_documents_need_the_memory(
    chronicle: tuple[Path, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[int] = []
    forget = ChatSession.forget

    def counted(session: ChatSession) -> None:
        forgotten.append(1)
        forget(session)

    monkeypatch.setattr(ChatSession, "forget", counted)
    library, file, question = chronicle
    engine = thread_engine()
    kept = []
    for turn, limit in ((1, None), (3, 14_000_000)):
        engine.post(Load(Setup("tiny", memory_limit=limit)))
        engine.post(Generate(turn, (("user", "Hello! " * 150),), {"max_tokens": 2}))
        engine.post(Count(1, HELLO))
        events_until(engine, Counted)
        forgotten.clear()
        engine.post(Ask(turn + 1, question, (file,), library, mode="retrieve"))
        events_until(engine, Told, turn + 1)
        kept.append(not forgotten)
        engine.post(Stop(turn + 1))
        events_until(engine, Finished, turn + 1)
    assert kept == [True, False]
    assert engine.close(PATIENCE)
