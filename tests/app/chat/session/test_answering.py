"""The life of an answer, whichever way it ends."""

from pathlib import Path

import pytest

from app.ask import events as ask
from app.chat.engine.messages import (
    Ask,
    Died,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Reading,
    Stats,
    Stop,
    Text,
    Told,
)
from app.chat.options import Options, Setup
from app.chat.session.batches import merged
from app.chat.session.changes import (
    Idle,
    MessageAdded,
    MessageChanged,
    PathChanged,
    Progress,
    StatsChanged,
    TextAdded,
)
from app.chat.store import Journal, Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.scripted import model_info
from tests.app.chat.session.reader import Reader


def test_a_question_is_answered_and_both_are_stored(store: Store) -> None:
    reader = Reader(store, ["The ", "harbour."])
    assert reader.ask("Where is it?")
    assert reader.texts == ["Where is it?", "The harbour."]
    assert [message.state for message in reader.messages] == ["complete", "complete"]
    assert reader.session.answering is None
    assert isinstance(reader.heard(Idle)[-1], Idle)


def test_a_stored_answer_says_how_it_came_about(store: Store) -> None:
    options = Options(Setup("tiny"), sampling={"temperature": 0.0, "seed": 7})
    reader = Reader(store, "x", options=options)
    reader.ask()
    generation = reader.last.generation
    assert generation is not None
    assert (generation.model, generation.fingerprint, generation.rope) == ("tiny", "f00d", "dca")
    assert (generation.sampling, generation.seed) == ({"temperature": 0.0, "seed": 7}, 7)
    assert (generation.prompt_tokens, generation.reused_tokens, generation.output_tokens) == (40, 5, 12)
    assert generation.stop_reason == "stop"


def test_the_question_is_stored_before_anything_is_generated(store: Store, tmp_path: Path) -> None:
    reader = Reader(store, silent=True)
    reader.session.send("Where is it?")
    with Store.open(tmp_path / "chats.sqlite") as other:
        chat = other.last_chat()
        assert chat is not None
        assert [(stub.role, stub.state) for stub in other.path(chat)] == [
            ("user", "complete"),
            ("assistant", "streaming"),
        ]


def test_the_engine_is_shown_the_system_prompt_and_the_branch(store: Store) -> None:
    reader = Reader(store, "One.", "Two.", options=Options(system="Be brief.", context=4096))
    reader.ask("first")
    reader.ask("second")
    asked = reader.engine.of(Generate)[-1]
    assert asked.conversation == (
        ("system", "Be brief."),
        ("user", "first"),
        ("assistant", "One."),
        ("user", "second"),
    )
    assert asked.context == 4096


def test_text_is_told_piece_by_piece_and_the_end_after_it(store: Store) -> None:
    reader = Reader(store, ["a", "b"])
    reader.ask()
    kinds = [type(change) for change in reader.told]
    assert "".join(change.text for change in reader.heard(TextAdded)) == "ab"
    assert kinds.index(MessageChanged) > max(i for i, kind in enumerate(kinds) if kind is TextAdded)
    assert [change.message.role for change in reader.heard(MessageAdded)] == ["user", "assistant"]


def test_each_piece_is_in_the_journal_before_the_screen_hears_of_it(store: Store, tmp_path: Path) -> None:
    reader = Reader(store)
    reader.ask()
    reader.engine.say("The har")  # not pumped: the screen knows nothing yet
    assert reader.heard(TextAdded) == []
    with Store.open(tmp_path / "chats.sqlite") as other:
        assert other.message(reader.session.path[-1].id).content == "The har"


def test_a_stopped_answer_keeps_what_was_written(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.say("The har")
    assert reader.session.stop()
    reader.pump()
    assert (reader.last.content, reader.last.state) == ("The har", "stopped")
    assert not reader.session.stop()


def test_a_second_stop_changes_nothing(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.engine.emit(Loaded(model_info()))
    reader.ask()
    reader.session.stop()
    reader.session.stop()
    assert [progress.stage for progress in reader.heard(Progress)].count("stopping") == 1
    assert reader.last.state == "streaming"


def test_stopping_while_the_prompt_is_read_leaves_an_empty_answer(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.engine.emit(Reading(1, 512, 40_000, left=32.0))
    reader.pump()
    assert Progress("reading", 512, 40_000, 32.0) in reader.told
    reader.session.stop()
    reader.pump()
    assert (reader.last.content, reader.last.state) == ("", "stopped")


def test_an_answer_that_reached_its_length_says_so(store: Store) -> None:
    reader = Reader(store, ["long", Finished(0, "length")])
    reader.ask()
    assert reader.last.state == "length"


def test_a_failure_keeps_what_was_written_and_its_reason(store: Store) -> None:
    reader = Reader(store, ["The har", Failed(0, "out of memory; shorten the chat")])
    reader.ask()
    last = reader.last
    assert (last.content, last.state, last.error) == ("The har", "error", "out of memory; shorten the chat")
    assert reader.session.answering is None


def test_the_death_of_the_engine_keeps_what_was_written_and_the_next_question_loads_again(
    store: Store,
) -> None:
    reader = Reader(store)
    reader.ask()
    reader.say("The har")
    reader.engine.running.clear()
    reader.engine.emit(Died("the model's process ended"))
    reader.pump()
    last = reader.last
    assert (last.content, last.state, last.error) == ("The har", "error", "the model's process ended")
    assert reader.session.model is None
    reader.ask("again?")
    assert len(reader.engine.of(Load)) == 2
    reader.say("yes")
    assert reader.session.answering is not None


def test_quitting_keeps_what_was_written_as_stopped(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.engine.emit(Loaded(model_info()))
    reader.ask()
    reader.engine.emit(Text(1, "The har"))
    answer = reader.session.path[-1].id
    assert reader.session.close(0.3)
    assert (store.message(answer).content, store.message(answer).state) == ("The har", "stopped")


def test_text_that_comes_after_quitting_is_not_written_anywhere(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.engine.emit(Loaded(model_info()))
    reader.ask()
    reader.engine.emit(Text(1, "kept"))
    answer = reader.session.path[-1].id
    reader.session.close(0.3)
    reader.engine.emit(Text(1, "late"))
    assert store.message(answer).content == "kept"


def test_late_events_of_an_old_turn_touch_nothing(store: Store) -> None:
    reader = Reader(store, "one")
    reader.ask("first")
    reader.ask("second")  # turn 2, still running
    reader.say("two")
    old = reader.engine.posted[-1].turn - 1  # type: ignore[union-attr]
    reader.engine.emit(Text(old, "LATE"), Failed(old, "LATE"), Finished(old, "stop"), Reading(old, 1, 2))
    reader.pump()
    reader.finish()
    assert reader.texts == ["first", "one", "second", "two"]
    assert [message.state for message in reader.messages] == ["complete"] * 4


def test_a_question_asked_while_the_model_loads_waits_for_it(store: Store) -> None:
    reader = Reader(store, silent=True)
    assert reader.session.loading == Setup("tiny")
    assert reader.ask()
    assert [type(command) for command in reader.engine.posted[:2]] == [Load, Generate]
    reader.engine.emit(Loaded(model_info()), Text(1, "yes"), Finished(1, "stop"))
    reader.pump()
    assert reader.texts == ["Where is it?", "yes"]


def test_stopping_while_the_model_loads_does_not_wait_for_it(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.ask()
    assert reader.session.stop()
    assert reader.session.answering is None
    assert reader.last.state == "stopped"
    assert Stop(1) in reader.engine.posted


def test_a_load_that_fails_ends_the_answer_that_waits_for_it(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.ask()
    reader.engine.emit(Failed(None, "there is no model tiny"), Failed(1, "no model is loaded"))
    reader.pump()
    assert (reader.last.state, reader.last.error) == ("error", "there is no model tiny")
    assert reader.notices == ["there is no model tiny"]


def test_a_second_question_is_refused_while_an_answer_is_written(store: Store) -> None:
    reader = Reader(store)
    assert reader.ask("first")
    assert not reader.ask("second")
    assert len(reader.session.path) == 2
    assert "esc stops it" in reader.notices[-1]


def test_a_blank_question_is_refused(store: Store) -> None:
    reader = Reader(store, "x")
    assert not reader.ask("  \n ")
    assert reader.session.chat is None


def test_a_prompt_past_the_proven_length_is_told(store: Store) -> None:
    reader = Reader(store, [Reading(0, 1, 2, notice="longer than was shown to work"), "x"])
    reader.ask()
    assert reader.notices == ["longer than was shown to work"]


def test_numbers_are_told_and_fill_the_context(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    assert reader.heard(StatsChanged)
    assert reader.session.context_used == 57
    assert reader.session.context_limit == 32768
    assert reader.session.memory is not None


def test_the_context_of_a_stored_chat_is_known_from_its_last_answer(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    chat = reader.session.chat
    assert chat is not None
    other = Reader(store, chat=chat.id)
    assert other.session.stats is None
    assert other.session.context_used == 57


def test_an_answer_goes_on_while_another_chat_is_open(store: Store) -> None:
    reader = Reader(store)
    reader.ask("first")
    first = reader.session.chat
    assert first is not None
    reader.say("one ")
    reader.session.new_chat()
    reader.told.clear()
    reader.say("two")
    assert reader.heard(TextAdded) == []
    assert not reader.ask("second")
    reader.session.open_chat(first.id)
    assert reader.session.message(reader.session.path[-1].id).content == "one two"
    reader.say(" three")
    reader.finish()
    assert reader.last.content == "one two three"


def test_a_journal_that_cannot_be_written_costs_a_notice_and_no_text(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Qwen2Error("the disk is full")

    reader = Reader(store)
    reader.ask()
    monkeypatch.setattr(Journal, "append", full)
    reader.say("The ")
    reader.say("harbour.")
    reader.finish()
    assert "the disk is full" in reader.notices[0]
    assert reader.last.content == "The harbour."


def test_an_answer_whose_end_cannot_be_stored_is_shown_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Qwen2Error("the disk is full")

    reader = Reader(store)
    reader.ask()
    reader.say("The harbour.")
    monkeypatch.setattr(store, "finish_answer", full)
    reader.finish()
    assert reader.session.answering is None
    assert reader.heard(MessageChanged)[-1].message.content == "The harbour."
    assert "the disk is full" in reader.notices[-1]


def test_an_unanswered_question_of_a_crash_is_not_answered_by_itself(store: Store) -> None:
    chat = store.new_chat(Options())
    store.add_message(chat.id, None, "user", "Where is it?")
    reader = Reader(store, "There.", chat=chat.id)
    assert reader.engine.of(Generate) == []
    assert reader.session.retry()
    reader.pump()
    assert reader.texts == ["Where is it?", "There."]


def test_stats_of_an_answer_elsewhere_are_not_those_of_the_open_chat(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.session.new_chat()
    reader.engine.emit(Stats(1, 1, 0, 1, 999, 1.0, 1.0, 0.1, 1))
    reader.pump()
    assert reader.session.context_used == 0


def test_the_text_of_a_document_answer_is_shown_while_it_is_written(store: Store) -> None:
    reader = Reader(store, [Told(0, ask.Text("draft"))])
    reader.ask()
    assert reader.last.content == ""  # a turn without documents knows nothing of them
    assert reader.engine.of(Ask) == []


def test_the_path_is_told_anew_when_an_answer_does_not_follow_at_its_end(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask()
    reader.told.clear()
    reader.session.retry()
    assert reader.heard(PathChanged)


def test_events_are_merged_without_changing_what_they_say() -> None:
    stats = Stats(1, 1, 0, 1, 2, 1.0, 1.0, 0.1, 1)
    events = [
        Reading(1, 1, 9, notice="long"),
        Reading(1, 2, 9),
        Text(1, "a"),
        stats,
        Text(1, "b"),
        Finished(1, "stop"),
        Text(2, "c"),
        Text(3, "d"),
        Text(3, "e"),
    ]
    assert list(merged(events)) == [
        Reading(1, 2, 9, notice="long"),
        Text(1, "ab"),
        stats,
        Finished(1, "stop"),
        Text(2, "c"),
        Text(3, "de"),
    ]
