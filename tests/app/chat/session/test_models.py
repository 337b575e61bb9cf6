"""Loading, switching and asking about models."""

from dataclasses import replace

from app.chat.engine.messages import Failed, Fit, Fitted, Generate, Load, Loaded, Unload
from app.chat.options import Options, Setup
from app.chat.session.changes import Idle, ModelChanged, Progress
from app.chat.store import Store
from tests.app.chat.scripted import model_info
from tests.app.chat.session.reader import Reader


def test_the_model_of_the_options_is_loaded_at_the_start(store: Store) -> None:
    reader = Reader(store, options=Options(Setup("7b")))
    assert reader.engine.of(Load) == [Load(Setup("7b"))]
    assert reader.session.model is not None
    assert reader.session.model.setup == Setup("7b")
    assert reader.session.loading is None
    assert Progress("loading 7b") in reader.told
    assert isinstance(reader.told[-1], Idle)


def test_another_model_is_loaded_for_this_chat_and_those_that_begin_later(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    reader.session.load(Setup("7b"))
    reader.pump()
    assert reader.session.options.setup == Setup("7b")
    reader.session.new_chat()
    assert reader.session.options.setup == Setup("7b")


def test_a_chat_is_answered_by_its_own_model(store: Store) -> None:
    reader = Reader(store, "x", "y")
    reader.ask("first")
    first = reader.session.chat
    assert first is not None
    reader.session.new_chat()
    reader.session.load(Setup("7b"))
    reader.pump()
    reader.session.open_chat(first.id)
    assert len(reader.engine.of(Load)) == 2  # reading an old chat loads nothing
    reader.ask("second")
    assert reader.engine.of(Load)[-1] == Load(Setup("tiny"))
    assert isinstance(reader.engine.posted[reader.engine.posted.index(Load(Setup("tiny")), 1) + 1], Generate)
    assert reader.texts[-1] == "y"


def test_other_settings_of_the_model_load_it_again(store: Store) -> None:
    reader = Reader(store)
    options = reader.session.options
    reader.session.update_options(replace(options, system="Be brief."))
    assert len(reader.engine.of(Load)) == 1
    reader.session.update_options(replace(options, setup=replace(options.setup, rope="yarn")))
    assert reader.engine.of(Load)[-1].setup.rope == "yarn"


def test_an_unloaded_model_comes_back_with_the_next_question(store: Store) -> None:
    reader = Reader(store, "x")
    reader.session.unload()
    reader.pump()
    assert reader.engine.of(Unload)
    assert reader.session.model is None
    reader.ask()
    assert reader.session.model is not None
    assert reader.texts[-1] == "x"


def test_a_model_that_fails_to_load_leaves_none_and_says_why(store: Store) -> None:
    reader = Reader(store, start=False)
    reader.engine.load_error = "there is no model 8b; F2 lists them"
    reader.session.start()
    reader.pump()
    assert (reader.session.model, reader.session.loading) == (None, None)
    assert reader.notices == ["there is no model 8b; F2 lists them"]
    assert reader.heard(ModelChanged)


def test_the_failure_of_a_load_does_not_end_an_answer_that_waits_for_a_later_one(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.session.load(Setup("7b"))
    reader.ask()
    reader.engine.emit(Failed(None, "tiny is broken"))
    reader.pump()
    assert reader.session.answering is not None
    assert reader.session.loading == Setup("7b")
    reader.engine.emit(Loaded(model_info(Setup("7b"))))
    reader.pump()
    assert reader.session.loading is None


def test_a_text_is_counted_without_what_every_prompt_has(store: Store) -> None:
    reader = Reader(store)
    heard: list[int] = []
    reader.session.count("one two three", heard.append)
    reader.pump()
    assert heard == [3]
    reader.engine.tokens = 24  # template and all
    reader.session.load(Setup("7b"))
    reader.pump()
    reader.session.count("one two three", heard.append)
    reader.pump()
    assert heard == [3, 0]


def test_without_a_model_nothing_is_counted(store: Store) -> None:
    reader = Reader(store, silent=True)
    reader.session.count("one", lambda tokens: None)
    assert [type(command) for command in reader.engine.posted] == [Load]


def test_whether_a_setup_fits_is_answered_to_whom_it_was_asked_for(store: Store) -> None:
    reader = Reader(store, silent=True)
    heard: list[Fitted] = []
    reader.session.fit(Setup("7b"), 32768, heard.append)
    reader.session.fit(Setup("72b"), 32768, heard.append)
    asked = reader.engine.of(Fit)
    assert [each.setup.model for each in asked] == ["7b", "72b"]
    reader.engine.emit(Fitted(asked[1].ticket, False, "no", 0), Fitted(asked[0].ticket, True, "yes", 1))
    reader.pump()
    assert [fitted.line for fitted in heard] == ["no", "yes"]
