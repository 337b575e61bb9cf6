"""A conversation of 10,000 messages: everything works, nothing recurses, and reading it is quick.

Times are bounds for a busy machine, several times what is measured on an idle one.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from app.chat.options import Options
from app.chat.portable import export_chat, import_chats
from app.chat.store import ChatCopy, MessageCopy, Store
from tests.app.chat.store.samples import GENERATION, check, say, texts

DEPTH = 10_000
Result = TypeVar("Result")


def copy(depth: int) -> ChatCopy:
    """A chain in which every message holds common words and a number of its own."""
    messages = tuple(
        MessageCopy(
            place - 1 if place else None,
            "assistant" if place % 2 else "user",
            f"message{place} the mill stands by the river and the wheel turns " + "with the water " * 8,
            "complete",
            "",
            None,
            float(place),
            float(place),
            None,
            None,
            (),
            (),
        )
        for place in range(depth)
    )
    return ChatCopy("deep", True, Options(), "", "", False, False, 0.0, depth - 1, (), messages)


@pytest.fixture(scope="module")
def deep_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deep") / "chats.sqlite"
    with Store.open(place) as store:
        store.add_copies([copy(DEPTH)])
    return place


@pytest.fixture
def deep(deep_place: Path) -> Iterator[Store]:
    with Store.open(deep_place) as store:
        yield store


def quickest(work: Callable[[], Result]) -> tuple[float, Result]:
    """Milliseconds of the quickest of five runs, and the result of the last."""
    times: list[float] = []
    results: list[Result] = []
    for _ in range(5):
        start = time.perf_counter()
        results.append(work())
        times.append(1000 * (time.perf_counter() - start))
    return min(times), results[-1]


def test_a_deep_chat_is_opened_and_listed_at_once(deep_place: Path, deep: Store) -> None:
    took, _ = quickest(lambda: Store.open(deep_place).close())
    assert took < 100
    took, path = quickest(lambda: deep.path(1))
    assert len(path) == DEPTH
    assert took < 150
    took, last = quickest(lambda: deep.messages(stub.id for stub in path[-40:]))
    assert last[-1].depth == DEPTH - 1
    assert took < 20


@pytest.mark.parametrize(
    "query", ["the", "t", "the wheel", "message9", "message5000", '"by the river"', "zzz", "the mill message"]
)
def test_a_deep_chat_is_searched_at_once(deep: Store, query: str) -> None:
    took, hits = quickest(lambda: deep.search(query))
    assert took < 50
    assert len(hits) == {"zzz": 0, "message5000": 1}.get(query, 50)
    took, _ = quickest(lambda: deep.search(query, chat=99))
    assert took < 50


def test_a_piece_is_journalled_in_microseconds(deep: Store) -> None:
    answer = deep.begin_answer(1, None, GENERATION)
    journal = deep.journal()
    times: list[float] = []
    for _ in range(2000):
        start = time.perf_counter()
        journal.append(answer.id, " word")
        times.append(time.perf_counter() - start)
    journal.close()
    assert sorted(times)[1000] < 200e-6
    assert deep.finish_answer(answer.id, "complete").content == " word" * 2000
    deep.delete_message(answer.id)
    deep.purge()
    assert len(deep.path(1)) == DEPTH


def test_a_deep_chat_is_deleted_and_taken_back(deep: Store) -> None:
    path = deep.path(1)
    took, _ = quickest(lambda: (deep.delete_message(path[0].id), deep.undo(1)))
    assert took < 2000
    assert deep.path(1) == path
    deep.delete_message(path[1].id)
    assert len(deep.path(1)) == 1
    assert len(deep.trash()) == 1
    deep.undo(1)
    deep.select(path[10].id)
    assert deep.path(1) == path


def test_a_deep_chat_is_shown_as_a_tree_and_as_a_conversation(deep: Store) -> None:
    nodes = deep.tree(1)
    assert [node.depth for node in nodes] == list(range(DEPTH))
    assert {node.level for node in nodes} == {0}
    assert len(deep.conversation(deep.chat(1))) == DEPTH


def test_a_deep_chat_is_exported_imported_and_purged(store: Store) -> None:
    depth = 2500  # more than Python and SQLite recurse
    (chat,) = store.add_copies([copy(depth)])
    exported = export_chat(store, chat, "json")
    assert len(json.loads(exported)["chats"][0]["messages"]) == depth
    assert export_chat(store, chat, "markdown").count("\n## ") == depth
    assert export_chat(store, chat, "html", whole_tree=True).count("<article") == depth
    (again,) = import_chats(store, exported)
    twice = store.duplicate_chat(again.id)
    assert texts(store, twice.id) == texts(store, chat.id)
    store.delete_chat(twice.id)
    store.delete_message(store.path(again.id)[0].id)
    store.purge()
    assert store._database.rows("SELECT count(*) FROM messages") == [(depth,)]
    store.delete_chat(again.id)
    store.purge()
    check(store)


def test_a_wide_turn_is_listed_too(store: Store) -> None:
    chat = store.new_chat(Options()).id
    first, *_ = say(store, chat, "one")
    for number in range(300):
        store.add_message(chat, first.id, "assistant", f"version {number}")
    assert store.path(chat)[-1].siblings == 300
    assert len(store.tree(chat)) == 301
