"""Opening, naming, leaving and deleting chats."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from app.chat.options import Options, Setup
from app.chat.session.changes import ChatChanged, ChatsChanged, PathChanged
from app.chat.session.chats import title_of
from app.chat.store import Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.session.reader import Reader


def test_a_chat_is_stored_with_its_first_message(store: Store) -> None:
    reader = Reader(store, "x")
    assert reader.session.chat is None
    assert store.chats() == []
    reader.ask("Where is the harbour?")
    assert [chat.title for chat in store.chats()] == ["Where is the harbour?"]
    assert reader.heard(ChatChanged)
    assert reader.heard(ChatsChanged)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Where?", "Where?"),
        ("\n\n  Where   is it,\nand why?", "Where is it"),
        ("one two three four five six seven eight nine", "one two three four five six seven eight…"),
        ("x" * 200, "x" * 47 + "…"),
        ("a word " + "x" * 60, "a word…"),
        ("港口在哪里", "港口在哪里"),
    ],
)
def test_a_title_is_the_beginning_of_the_first_question(question: str, title: str) -> None:
    assert title_of(question) == title


def test_a_name_that_was_given_stays(store: Store) -> None:
    reader = Reader(store, "x", "y")
    reader.ask("first")
    chat = reader.session.chat
    assert chat is not None
    reader.session.rename(chat.id, "Mine")
    assert reader.session.chat is not None
    assert reader.session.chat.title == "Mine"
    reader.session.edit(reader.messages[0].id, "other words")
    reader.pump()
    assert store.chat(chat.id).title == "Mine"


def test_a_chat_without_a_title_whose_only_question_was_deleted_is_not_lost(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask("::")  # of which no title can be made
    chat = reader.session.chat
    assert chat is not None
    assert chat.title == ""
    question = reader.messages[0].id
    reader.session.delete(question)
    reader.session.new_chat()
    store.restore_message(question)
    assert [said for _, said in store.conversation(store.chat(chat.id))][:1] == ["::"]


def test_a_draft_is_kept_with_its_chat(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask("first")
    first = reader.session.chat
    assert first is not None
    reader.session.save_draft("half a thought")
    reader.session.new_chat()
    reader.session.open_chat(first.id)
    assert reader.session.chat is not None
    assert reader.session.chat.draft == "half a thought"


def test_what_was_sent_is_no_draft_any_more(store: Store) -> None:
    reader = Reader(store, "x")
    reader.session.save_draft("Where is it?")
    reader.ask("Where is it?")
    assert [chat.draft for chat in store.chats()] == [""]


def test_a_command_that_is_being_typed_makes_no_chat(store: Store) -> None:
    reader = Reader(store)
    reader.session.save_draft("/ren")
    assert reader.session.chat is None
    assert store.chats() == []


def test_a_draft_alone_makes_a_chat_that_goes_when_it_is_emptied(store: Store) -> None:
    reader = Reader(store)
    reader.session.save_draft("half a thought")
    assert [chat.draft for chat in store.chats()] == ["half a thought"]
    reader.session.save_draft("")
    reader.session.new_chat()
    assert store.chats() == []
    assert store.trash() == []


def test_a_chat_opens_on_the_branch_of_the_message_that_was_looked_for(store: Store) -> None:
    reader = Reader(store, "one", "two")
    reader.ask()
    old = reader.last.id
    reader.session.retry()
    reader.pump()
    chat = reader.session.chat
    assert chat is not None
    reader.session.new_chat()
    reader.session.open_chat(chat.id, old)
    assert reader.last.id == old
    assert reader.told[-1] == PathChanged(old)


def test_a_deleted_chat_comes_back_and_another_begins_meanwhile(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    chat = reader.session.chat
    assert chat is not None
    reader.session.delete_chat(chat.id)
    assert (reader.session.chat, reader.session.path) == (None, [])
    assert store.chats() == []
    assert reader.session.undo_delete_chat()
    assert [one.id for one in store.chats()] == [chat.id]
    assert not reader.session.undo_delete_chat()


def test_deleting_the_chat_of_a_running_answer_stops_it_and_keeps_its_text(store: Store) -> None:
    reader = Reader(store)
    reader.ask()
    reader.say("The har")
    chat, answer = reader.session.chat, reader.last.id
    assert chat is not None
    reader.session.delete_chat(chat.id)
    reader.pump()
    assert (store.message(answer).content, store.message(answer).state) == ("The har", "stopped")


def test_options_belong_to_the_chat(store: Store) -> None:
    reader = Reader(store, "x", "y")
    reader.ask("first")
    first = reader.session.chat
    assert first is not None
    reader.session.update_options(replace(reader.session.options, system="Be brief."))
    reader.session.new_chat()
    assert reader.session.options.system is None
    reader.session.open_chat(first.id)
    assert reader.session.options.system == "Be brief."


def test_options_of_a_chat_that_is_not_stored_yet_go_into_it(store: Store) -> None:
    reader = Reader(store, "x")
    reader.session.update_options(Options(Setup("tiny"), system="Be brief."))
    reader.ask()
    assert store.chats()[0].options.system == "Be brief."


def test_a_copy_is_opened_in_place_of_the_chat(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    old = reader.session.chat
    reader.session.duplicate_chat()
    assert old is not None
    assert reader.session.chat is not None
    assert reader.session.chat.id != old.id
    assert reader.texts == ["Where is it?", "x"]


def test_pinned_and_archived_chats_are_told(store: Store) -> None:
    reader = Reader(store, "x")
    reader.ask()
    chat = reader.session.chat
    assert chat is not None
    reader.session.pin(chat.id, True)
    assert reader.session.chat is not None
    assert reader.session.chat.pinned
    reader.session.archive(chat.id, True)
    assert store.chats() == []


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A store that a newer version wrote."""
    path = tmp_path / "newer.sqlite"
    with Store.open(path) as store:
        Reader(store, "old answer").ask("old question")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    return path


def test_chats_of_a_newer_version_are_shown_and_not_changed(newer: Path) -> None:
    with Store.open(newer) as store:
        chat = store.chats()[0]
        reader = Reader(store, "x", chat=chat.id)
        assert reader.texts == ["old question", "old answer"]
        assert not reader.ask()
        assert not reader.session.retry()
        reader.session.save_draft("x")
        reader.session.rename(chat.id, "x")
        reader.session.delete_chat(chat.id)
        assert "only be read" in reader.notices[-1]
        assert store.chats()[0] == chat


def test_where_nothing_can_be_saved_a_new_chat_works_and_is_gone_afterwards(newer: Path) -> None:
    with Store.open(newer) as store:
        reader = Reader(store, "yes", "no")
        assert "not saved" in reader.notices[0]
        assert reader.ask("does it work?")
        assert reader.texts == ["does it work?", "yes"]
        place = reader.session.chat_store.file
        reader.session.attach("letter.txt")
        assert "not saved" in reader.notices[-1]
        reader.session.close(0.1)
        assert not place.exists()
        assert len(store.chats()) == 1
        with pytest.raises(Qwen2Error):
            store.new_chat(Options())
