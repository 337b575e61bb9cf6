"""The list of chats and what each one is set to."""

import pytest

from app.chat.options import Options, Setup
from app.chat.store import Chat, Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.store.samples import GENERATION, say, texts

OPTIONS = Options(
    Setup("7b", "yarn", "8", 2**33), "Be brief.", {"seed": 2**70, "stop": ["a"]}, 4096, "read", 60.0
)


def test_a_new_chat_is_as_it_was_asked_for(store: Store) -> None:
    chat = store.new_chat(OPTIONS, "A  title\nin two lines", "work")
    assert chat == store.chat(chat.id)
    assert (chat.title, chat.named, chat.folder) == ("A title in two lines", True, "work")
    assert chat.options == OPTIONS
    assert (chat.head, chat.draft, chat.pinned, chat.archived, chat.deleted) == (None, "", False, False, None)
    assert store.path(chat.id) == []


def test_everything_of_a_chat_can_be_set_and_nothing_else_changes(store: Store) -> None:
    before = store.new_chat(Options())
    other = store.new_chat(Options(), "other")
    changes = {"folder": "home", "pinned": True, "draft": "half a \ud800 question", "options": OPTIONS}
    after = store.update_chat(before.id, **changes)
    assert (after.folder, after.pinned, after.draft) == ("home", True, "half a \ufffd question")
    assert after.options == OPTIONS
    assert (after.title, after.named, after.updated) == (before.title, False, before.updated)
    assert store.chat(other.id) == other
    with pytest.raises(TypeError):
        store.update_chat(before.id, colour="red")  # pyright: ignore[reportCallIssue]


def test_a_title_is_a_persons_unless_said_otherwise(store: Store, chat: Chat) -> None:
    assert not store.update_chat(chat.id, title="first words", named=False).named
    assert store.update_chat(chat.id, title="My title").named


def test_pinned_chats_come_first_then_the_last_touched(store: Store) -> None:
    first, second, third = (store.new_chat(Options(), name) for name in "abc")
    assert [one.id for one in store.chats()] == [third.id, second.id, first.id]
    say(store, first.id, "hello")
    store.update_chat(second.id, pinned=True)
    assert [one.id for one in store.chats()] == [second.id, first.id, third.id]
    assert [one.id for one in store.chats(offset=1, limit=1)] == [first.id]
    last = store.last_chat()
    assert last is not None
    assert last.id == first.id


def test_a_filter_takes_any_case_any_script_and_the_folder(store: Store) -> None:
    plain = store.new_chat(Options(), "Straße nach Süden", "Reisen")
    wide = store.new_chat(Options(), "磨坊 100%_'\"")
    assert [one.id for one in store.chats("STRASSE reis")] == [plain.id]
    assert [one.id for one in store.chats("坊")] == [wide.id]
    assert [one.id for one in store.chats("%_'\"")] == [wide.id]
    assert store.chats("strasse 坊") == []


def test_archived_and_deleted_chats_are_listed_apart(store: Store) -> None:
    old, gone, kept = (store.new_chat(Options(), name) for name in "abc")
    store.update_chat(old.id, archived=True)
    store.delete_chat(gone.id)
    assert [one.id for one in store.chats()] == [kept.id]
    assert [one.id for one in store.chats(archived=True)] == [old.id]
    store.delete_chat(kept.id)
    assert store.last_chat() is None


def test_a_chat_that_is_not_there_is_one_line(store: Store) -> None:
    for work in (store.chat, store.path, store.tree, store.delete_chat, store.undo, store.duplicate_chat):
        with pytest.raises(Qwen2Error, match="not there any more"):
            work(99)
    with pytest.raises(Qwen2Error, match="not there any more"):
        store.add_message(99, None, "user", "hello")


def test_no_number_is_too_large_to_ask_for(store: Store) -> None:
    with pytest.raises(Qwen2Error, match="not there any more"):
        store.chat(10**30)


def test_a_copy_goes_on_without_the_original(store: Store, chat: Chat) -> None:
    first, answer, *_ = say(store, chat.id, "one", "two", "three", "four")
    other = store.begin_answer(chat.id, first.id, GENERATION)
    store.finish_answer(other.id, "stopped", content="two, otherwise")
    store.update_chat(chat.id, title="Numbers", draft="mine", pinned=True)
    store.select(answer.id)

    whole = store.duplicate_chat(chat.id)
    assert (whole.title, whole.draft, whole.pinned) == ("Numbers (copy)", "", False)
    assert texts(store, whole.id) == ["one", "two", "three", "four"]
    assert [node.line for node in store.tree(whole.id)] == ["one", "two", "three", "four", "two, otherwise"]
    part = store.duplicate_chat(chat.id, other.id)
    assert texts(store, part.id) == ["one", "two, otherwise"]
    copied = store.message(store.path(part.id)[-1].id)
    assert (copied.state, copied.generation) == ("stopped", GENERATION)

    say(store, part.id, "and on")
    assert texts(store, chat.id) == ["one", "two", "three", "four"]
    with pytest.raises(Qwen2Error):
        store.duplicate_chat(part.id, answer.id)  # of another chat
