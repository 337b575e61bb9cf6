"""Versions beside each other: nothing is overwritten, whatever is asked for."""

from pathlib import Path

from app.chat.engine.messages import Generate
from app.chat.options import Options
from app.chat.session.changes import PathChanged
from app.chat.store import Generation, Store
from tests.app.chat.session.reader import Reader


def test_a_retry_stands_beside_the_old_answer(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask()
    old = reader.last
    assert reader.session.retry(old.id)
    reader.pump()
    assert (reader.last.content, reader.last.sibling, reader.last.siblings) == ("two", 2, 2)
    assert store.message(old.id).content == "one"


def test_retry_without_a_message_answers_the_last_question(store: Store) -> None:
    reader = Reader(store, "one", "two", "three")
    reader.ask("first")
    reader.ask("second")
    assert reader.session.retry()
    reader.pump()
    assert reader.texts == ["first", "one", "second", "three"]


def test_there_is_nothing_to_retry_in_an_empty_chat(store: Store) -> None:
    reader = Reader(store)
    assert not reader.session.retry()
    assert "no question" in reader.notices[-1]


def test_an_edited_question_begins_a_branch_and_is_answered(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask("frist")
    question = reader.messages[0]
    assert reader.session.edit(question.id, "first")
    reader.pump()
    assert reader.texts == ["first", "two"]
    assert reader.messages[0].edited_from == question.id
    assert [store.message(question.id).content, reader.messages[0].siblings] == ["frist", 2]


def test_an_edited_answer_stands_beside_the_old_one_and_nothing_is_generated(store: Store) -> None:
    reader = Reader(store, "one")
    reader.ask()
    assert reader.session.edit(reader.last.id, "mine")
    assert reader.texts == ["Where is it?", "mine"]
    assert len(reader.engine.of(Generate)) == 1


def test_going_on_with_a_stopped_answer_keeps_the_old_one(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.say("The har")
    reader.session.stop()
    reader.pump()
    old = reader.last
    assert reader.session.resume(old.id)
    assert reader.engine.of(Generate)[-1].resume
    assert reader.engine.of(Generate)[-1].conversation[-1] == ("assistant", "The har")
    reader.say("bour.")
    reader.finish()
    assert (reader.last.content, reader.last.state) == ("The harbour.", "complete")
    assert (store.message(old.id).content, store.message(old.id).state) == ("The har", "stopped")


def test_going_on_with_an_answer_without_a_word_begins_anew(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.session.stop()
    reader.pump()
    assert reader.session.resume(reader.last.id)
    assert not reader.engine.of(Generate)[-1].resume
    assert reader.engine.of(Generate)[-1].conversation == (("user", "Where is it?"),)


def test_a_question_cannot_be_gone_on_with(store: Store) -> None:
    reader = Reader(store, "one")
    reader.ask()
    assert not reader.session.resume(reader.messages[0].id)


def test_siblings_are_gone_through_to_their_ends(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask()
    reader.session.retry()
    reader.pump()
    assert not reader.session.sibling(reader.last.id, 1)
    reader.told.clear()
    assert reader.session.sibling(reader.last.id, -1)
    assert reader.last.content == "one"
    assert reader.told == [PathChanged(reader.last.id)]
    assert not reader.session.sibling(reader.last.id, -1)


def test_a_deleted_message_comes_back(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask("first")
    reader.ask("second")
    reader.session.delete(reader.messages[2].id)
    assert reader.texts == ["first", "one"]
    assert reader.session.undo()
    assert reader.texts == ["first", "one", "second", "two"]
    assert not reader.session.undo()


def test_the_branch_holds_still_while_an_answer_is_written(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    session, id = reader.session, reader.messages[0].id
    assert not any((session.delete(id), session.edit(id, "x"), session.retry(), session.resume(id)))
    assert not session.undo()
    assert reader.texts == ["Where is it?", ""]


def test_a_question_follows_the_branch_that_its_reader_sees(store: Store, tmp_path: Path) -> None:
    """Another program may have gone on with the same chat meanwhile: neither loses anything."""
    reader = Reader(store, "one", "mine")
    reader.ask("first")
    chat = reader.session.chat
    assert chat is not None
    with Store.open(tmp_path / "chats.sqlite") as shared:
        other = Reader(shared, "theirs", chat=chat.id)
        other.ask("other second")
    reader.ask("my second")
    assert reader.texts == ["first", "one", "my second", "mine"]
    assert reader.messages[2].siblings == 2


def test_an_answer_that_another_program_writes_is_left_to_it(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat(Options())
    question = store.add_message(chat.id, None, "user", "Where?")
    answer = store.begin_answer(chat.id, question.id, Generation("tiny"))
    with Store.open(tmp_path / "chats.sqlite") as shared:
        other = Reader(shared, chat=chat.id)
        assert other.last.state == "streaming"
        other.session.close(0.1)
    store.finish_answer(answer.id, "complete", content="There.")
    assert store.message(answer.id).content == "There."
