"""Deleting marks, undo takes back, and only purging removes."""

import pytest

from app.chat.options import Options
from app.chat.store import Chat, Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.store.samples import CITATION, GENERATION, check, say, texts


def test_a_deleted_message_takes_with_it_what_follows(store: Store, chat: Chat) -> None:
    _, _, third, _ = say(store, chat.id, "one", "two", "three", "four")
    store.delete_message(third.id)
    assert texts(store, chat.id) == ["one", "two"]
    (item,) = store.trash()
    assert item == store.message(third.id)
    assert item.deleted is not None
    assert store.undo(chat.id)
    assert texts(store, chat.id) == ["one", "two", "three", "four"]
    assert store.message(third.id).deleted is None
    assert not store.undo(chat.id)
    assert store.trash() == []
    check(store)


def test_the_version_beside_is_shown_when_one_is_deleted(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two")
    say(store, chat.id, "three")
    other = store.add_message(chat.id, first.id, "assistant", "other")
    assert store.path(chat.id)[-1].siblings == 2
    store.delete_message(other.id)
    assert texts(store, chat.id) == ["one", "two", "three"]
    assert store.path(chat.id)[1].siblings == 1
    store.delete_message(second.id)
    assert texts(store, chat.id) == ["one"]
    store.delete_message(first.id)
    assert texts(store, chat.id) == []
    assert store.chat(chat.id).head is None


def test_deletions_are_taken_back_one_by_one_the_last_first(store: Store, chat: Chat) -> None:
    first, second, third = say(store, chat.id, "one", "two", "three")
    store.delete_message(third.id)
    store.delete_message(second.id)
    store.delete_message(first.id)
    for expected in (["one"], ["one", "two"], ["one", "two", "three"]):
        assert store.undo(chat.id)
        assert texts(store, chat.id) == expected
    assert not store.undo(chat.id)


def test_deleting_elsewhere_does_not_move_what_is_shown(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two")
    store.add_message(chat.id, first.id, "assistant", "other")
    store.delete_message(second.id)
    assert texts(store, chat.id) == ["one", "other"]
    store.undo(chat.id)
    assert texts(store, chat.id) == ["one", "other"]
    assert store.siblings(second.id)[0] == second.id


def test_an_older_deletion_comes_back_with_what_it_stands_on(store: Store, chat: Chat) -> None:
    first, _, third, _ = say(store, chat.id, "one", "two", "three", "four")
    store.delete_message(third.id)
    store.delete_message(first.id)
    store.restore_message(third.id)
    assert texts(store, chat.id) == ["one", "two", "three", "four"]
    assert store.trash() == []
    check(store)


def test_any_message_of_a_deletion_brings_it_back_once(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two")
    store.delete_message(first.id)
    store.delete_message(first.id)  # again
    store.delete_message(second.id)  # with the first
    assert len(store.trash()) == 1
    store.restore_message(second.id)
    store.restore_message(second.id)
    assert texts(store, chat.id) == ["one", "two"]


def test_nothing_can_follow_a_message_in_the_trash(store: Store, chat: Chat) -> None:
    (first,) = say(store, chat.id, "one")
    store.delete_message(first.id)
    with pytest.raises(Qwen2Error, match="in the trash"):
        store.begin_answer(chat.id, first.id, GENERATION)
    with pytest.raises(Qwen2Error):
        store.select(first.id)


def test_a_deleted_chat_comes_back_whole(store: Store, chat: Chat) -> None:
    say(store, chat.id, "one", "two")
    before = store.chat(chat.id)
    store.delete_chat(chat.id)
    deleted = store.chat(chat.id)
    assert deleted.deleted is not None
    assert store.trash() == [deleted]
    store.delete_chat(chat.id)
    assert store.chat(chat.id) == deleted
    assert store.undo(chat.id)
    assert store.chat(chat.id) == before


def test_a_chat_that_is_written_in_leaves_the_trash(store: Store, chat: Chat) -> None:
    """Another window deletes what this one shows, and empties the trash later."""
    (question,) = say(store, chat.id, "one")
    for write in (
        lambda: store.begin_answer(chat.id, question.id, GENERATION),
        lambda: store.add_message(chat.id, None, "user", "edited"),
    ):
        with Store.open(store.file) as other:
            other.delete_chat(chat.id)
            write()
            other.purge()
    assert texts(store, chat.id) == ["edited"]
    assert store.chats() == [store.chat(chat.id)]


def test_an_answer_that_ends_leaves_its_chat_in_the_trash(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    store.delete_chat(chat.id)
    store.finish_answer(answer.id, "stopped", content="half")
    assert store.chats() == []


def test_the_trash_lists_the_last_deleted_first(store: Store, chat: Chat) -> None:
    _, second = say(store, chat.id, "one", "two")
    other, hidden = store.new_chat(Options(), "other"), store.new_chat(Options(), "hidden")
    (inside,) = say(store, hidden.id, "inside")
    store.delete_message(second.id)
    store.delete_chat(other.id)
    store.delete_message(inside.id)
    store.delete_chat(hidden.id)
    assert [item.id for item in store.trash()] == [hidden.id, other.id, second.id]


def test_purging_leaves_nothing_behind(store: Store, chat: Chat) -> None:
    from app.chat.store import Attachment, Reading

    other = store.new_chat(Options(), "zanzibar")
    (question,) = say(store, other.id, "xylophone")
    answer = store.begin_answer(other.id, question.id, GENERATION)
    store.add_readings(answer.id, [Reading(1, 0, 1, 0.5)])
    store.finish_answer(answer.id, "complete", content="yggdrasil", citations=[CITATION])
    store.begin_answer(other.id, question.id, GENERATION)
    store.attach(other.id, Attachment(1, "ab", "a.txt", "/a.txt", 1.0))
    say(store, chat.id, "kept")
    store.delete_chat(other.id)
    store.purge([store.chat(other.id)])
    for table in ("messages", "texts"):
        assert store._database.rows(f"SELECT count(*) FROM {table}") == [(1,)]
    for table in ("journal", "citations", "readings", "attachments", "deletions"):
        assert store._database.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    store.close()
    for file in store.file.parent.iterdir():
        assert not any(word in file.read_bytes() for word in (b"zanzibar", b"xylophon", b"yggdrasil"))
    with Store.open(store.file) as again:
        check(again)
        assert texts(again, chat.id) == ["kept"]


def test_purging_a_message_takes_what_follows_and_was_deleted_before(store: Store, chat: Chat) -> None:
    first, second, third = say(store, chat.id, "one", "xylophone", "yggdrasil")
    store.delete_message(third.id)
    store.delete_message(second.id)
    store.purge()
    assert not any(word in store.file.read_bytes() for word in (b"xylophon", b"yggdrasil"))
    assert store.trash() == []
    assert not store.undo(chat.id)
    assert texts(store, chat.id) == ["one"]
    assert store._database.rows("SELECT id FROM messages") == [(first.id,)]
    check(store)


def test_what_was_taken_back_cannot_be_purged(store: Store, chat: Chat) -> None:
    (message,) = say(store, chat.id, "one")
    store.delete_message(message.id)
    store.delete_chat(chat.id)
    items = [store.chat(chat.id), store.message(message.id)]
    store.restore_chat(chat.id)
    store.restore_message(message.id)
    for item in items:
        with pytest.raises(Qwen2Error, match="not in the trash"):
            store.purge([item])
    assert texts(store, chat.id) == ["one"]
