"""Versions beside each other, and moving between them."""

import pytest

from app.chat.store import Chat, Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.store.samples import check, say, texts


def test_a_branch_is_listed_without_its_texts(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two!")
    path = store.path(chat.id)
    assert [(stub.id, stub.role, stub.characters) for stub in path] == [
        (first.id, "user", 3),
        (second.id, "assistant", 4),
    ]
    assert store.path(store.chat(chat.id)) == path
    assert {(stub.sibling, stub.siblings) for stub in path} == {(1, 1)}
    assert (second.parent, second.depth) == (first.id, 1)


def test_an_edited_question_is_a_version_and_the_old_branch_stays(store: Store, chat: Chat) -> None:
    first, *_ = say(store, chat.id, "one", "two", "three", "four")
    edited = store.add_message(chat.id, None, "user", "uno", edited_from=first.id)
    assert (edited.sibling, edited.siblings, edited.edited_from) == (2, 2, first.id)
    assert texts(store, chat.id) == ["uno"]
    say(store, chat.id, "dos")
    store.select(first.id)
    assert texts(store, chat.id) == ["one", "two", "three", "four"]
    store.select(edited.id)
    assert texts(store, chat.id) == ["uno", "dos"]
    assert store.siblings(edited.id) == [first.id, edited.id]
    check(store)


def test_choosing_a_version_goes_where_it_was_last_viewed(store: Store, chat: Chat) -> None:
    question, answer = say(store, chat.id, "one", "two")
    left = store.add_message(chat.id, answer.id, "user", "left")
    right = store.add_message(chat.id, answer.id, "user", "right")
    other = store.add_message(chat.id, question.id, "assistant", "other")
    store.select(left.id)
    store.select(other.id)
    store.select(answer.id)
    assert texts(store, chat.id) == ["one", "two", "left"]
    store.select(right.id)
    store.select(other.id)
    store.select(answer.id)
    assert texts(store, chat.id) == ["one", "two", "right"]


def test_what_is_viewed_is_remembered_all_the_way_up(store: Store, chat: Chat) -> None:
    question, answer = say(store, chat.id, "one", "two")
    left, *_ = say(store, chat.id, "left", "below", "deeper")
    store.add_message(chat.id, answer.id, "user", "right")
    other = store.add_message(chat.id, question.id, "assistant", "other")
    store.select(left.id)
    store.select(other.id)
    store.select(answer.id)
    assert texts(store, chat.id) == ["one", "two", "left", "below", "deeper"]


def test_writing_on_an_older_branch_shows_that_branch_from_then_on(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two")
    other = store.add_message(chat.id, None, "user", "other")
    store.add_message(chat.id, second.id, "user", "three")
    assert texts(store, chat.id) == ["one", "two", "three"]
    store.select(other.id)
    store.select(first.id)
    assert texts(store, chat.id) == ["one", "two", "three"]


def test_the_tree_stands_in_order_and_indents_only_versions(store: Store, chat: Chat) -> None:
    first, second, third = say(store, chat.id, "one", "\n\n  two \t words\nmore", "three")
    again = store.add_message(chat.id, first.id, "assistant", "two again")
    say(store, chat.id, "after")
    assert [(node.line, node.level, node.depth, node.shown) for node in store.tree(chat.id)] == [
        ("one", 0, 0, True),
        ("two words", 1, 1, False),
        ("three", 1, 2, False),
        ("two again", 1, 1, True),
        ("after", 1, 2, True),
    ]
    nodes = {node.id: node for node in store.tree(chat.id)}
    assert (nodes[again.id].sibling, nodes[again.id].siblings) == (2, 2)
    assert nodes[third.id].parent == second.id


def test_messages_are_read_in_the_order_asked_for(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "one", "two")
    assert store.messages([second.id, 99, first.id]) == [second, first]
    assert store.messages([]) == []


def test_a_message_of_another_chat_or_none_is_no_parent(store: Store, chat: Chat) -> None:
    (elsewhere,) = say(store, store.duplicate_chat(chat.id).id, "elsewhere")
    for parent in (elsewhere.id, 99):
        with pytest.raises(Qwen2Error, match="not there any more"):
            store.add_message(chat.id, parent, "assistant", "x")
    for work in (
        store.message,
        store.select,
        store.delete_message,
        store.restore_message,
        store.conversation,
    ):
        with pytest.raises(Qwen2Error, match="not there any more"):
            work(99)
    assert store.path(chat.id) == []


def test_any_text_comes_back_as_it_was(store: Store, chat: Chat) -> None:
    strange = "\0 \x1b[2J \u202e 😀 e\u0301 \r\n\ue000" + "x" * 200_000
    (message,) = say(store, chat.id, strange)
    assert store.message(message.id).content == strange
    (broken,) = say(store, chat.id, "half \ud83d a pair")
    assert broken.content == "half \ufffd a pair"
    check(store)


def test_earlier_questions_come_newest_first_and_once(store: Store, chat: Chat) -> None:
    other = store.duplicate_chat(chat.id)
    say(store, chat.id, "first", "x", "again", "x")
    say(store, other.id, "again", "x", "last")
    assert store.prompts() == ["last", "again", "first"]
    assert store.prompts(limit=1) == ["last"]
    store.delete_chat(other.id)
    assert store.prompts() == ["again", "first"]
