"""Files that are no exports, or exports that somebody changed: one line, and nothing is imported."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.portable import export_chat, import_chats, read_json
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.portable.samples import everything, opened
from tests.app.chat.store.samples import check


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with opened(tmp_path_factory.mktemp("good")) as store:
        return json.loads(export_chat(store, everything(store), "json"))


def refused(tmp_path: Path, text: str, *words: str) -> None:
    with opened(tmp_path) as store:
        kept = everything(store)
        with pytest.raises(Qwen2Error) as caught:
            import_chats(store, text)
        line = str(caught.value)
        assert "\n" not in line
        assert "nothing was imported" in line
        assert len(line) < 400
        for word in words:
            assert word in line
        assert store.chats() == [kept]
        assert len(store._database.rows("SELECT id FROM messages")) == 6
        check(store)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"format": 2, "chats": []}',
        '{"format": "1", "chats": []}',
        '{"format": true, "chats": []}',
        '{"format": 1, "chats": {}}',
        '{"format": 1, "chats": [1]}',
        '{"format": 1, "chats": [{"created": NaN}]}',
        '{"format": 1, "chats": [{"created": Infinity}]}',
        '{"format": 1, "chats": [{"created": 1e999}]}',
        '{"format": ' + "1" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"format": 1, "chats": [' + "[" * 100_000,
        "\0\x01\x02",
        "PK\x03\x04",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_a_message_follows_only_one_that_stands_before_it(tmp_path: Path, good: Any) -> None:
    for parent in (1, 4, 99, -1, 2**63, 0.5, True, "0", [], {}):
        bad = json.loads(json.dumps(good))
        bad["chats"][0]["messages"][1]["parent"] = parent
        refused(tmp_path / str(parent), json.dumps(bad), "parent")


Change = Callable[[Any], None]

CHANGES: dict[str, Change] = {
    "head": lambda chat: chat.update(head=6),
    "edited_from": lambda chat: chat["messages"][2].update(edited_from=2),
    "role": lambda chat: chat["messages"][0].update(role="system"),
    "state": lambda chat: chat["messages"][0].update(state="streaming"),
    "content": lambda chat: chat["messages"][0].update(content=["a"]),
    "finished": lambda chat: chat["messages"][0].update(finished=1e15),
    "created": lambda chat: chat.update(created=-1),
    "title": lambda chat: chat.update(title=7),
    "pinned": lambda chat: chat.update(pinned=1),
    "mode": lambda chat: chat["options"].update(mode="fast"),
    "model": lambda chat: chat["options"]["setup"].update(model={"a": 1}),
    "options": lambda chat: chat.update(options=[]),
    "seed": lambda chat: chat["options"]["sampling"].update(seed=2**64),
    "stop": lambda chat: chat["options"]["sampling"].update(stop=[1]),
    "temperature": lambda chat: chat["options"]["sampling"].update(temperature="hot"),
    "quote": lambda chat: chat["messages"][-1]["citations"][0].update(quote=None),
    "match": lambda chat: chat["messages"][-1]["citations"][0].update(match="good"),
    "score": lambda chat: chat["messages"][-1]["readings"][0].update(score="1"),
    "document": lambda chat: chat["messages"][-1].update(document=nested(500)),
    "sampling": lambda chat: chat["messages"][-1]["generation"].update(sampling=nested(500)),
    "output_tokens": lambda chat: chat["messages"][-1]["generation"].update(output_tokens=-5),
    "path": lambda chat: chat["attachments"][0].update(path=None),
    "messages": lambda chat: chat.update(messages="none"),
}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_of_the_wrong_kind_is_named(tmp_path: Path, good: Any, name: str) -> None:
    bad = json.loads(json.dumps(good))
    CHANGES[name](bad["chats"][0])
    refused(tmp_path, json.dumps(bad), name)


def test_nothing_is_imported_when_the_last_chat_is_bad(tmp_path: Path, good: Any) -> None:
    bad = json.loads(json.dumps(good))
    bad["chats"] *= 3
    bad["chats"].append({"title": 1})
    refused(tmp_path, json.dumps(bad), "chats[3]")


def test_nothing_is_imported_when_the_disk_is_full(tmp_path: Path, good: Any) -> None:
    good = json.loads(json.dumps(good))
    good["chats"].append({**good["chats"][0], "draft": "x" * 200_000})
    with opened(tmp_path) as store:
        kept = everything(store)
        pages = store._database.rows("PRAGMA page_count")[0][0]
        store._database.run(f"PRAGMA max_page_count = {pages + 10}")
        with pytest.raises(Qwen2Error, match="no room"):
            import_chats(store, json.dumps(good))
        assert store.chats() == [kept]


def test_too_much_is_noticed_before_it_is_stored(monkeypatch: pytest.MonkeyPatch, good: Any) -> None:
    text = json.dumps(good)
    for name, most in (("MOST_CHARACTERS", len(text) - 1), ("MOST_CHATS", 0), ("MOST_MESSAGES", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(read_json, name, most)
            with pytest.raises(Qwen2Error, match=r"more|longer"):
                read_json.read_json(text)
    read_json.read_json(text)


def test_what_is_left_out_gets_its_plain_value(tmp_path: Path) -> None:
    message = '{"role": "user", "content": "hi \\ud800", "state": "complete"}'
    options = '{"sampling": {"wizardry": 1}, "new": 2}'
    text = f'{{"format": 1, "chats": [{{"messages": [{message}], "head": 0, "options": {options}}}]}}'
    with opened(tmp_path) as store:
        (chat,) = import_chats(store, text)
        assert chat.options.sampling == {}
        assert store.conversation(chat) == [("user", "hi \ufffd")]


def test_a_chat_that_does_not_say_where_it_stands_shows_its_last_message(tmp_path: Path) -> None:
    message = {"role": "user", "content": "one", "state": "complete"}
    chats = [{"messages": [message, {**message, "content": "two", "parent": 0}]}]
    with opened(tmp_path) as store:
        (chat,) = import_chats(store, json.dumps({"format": 1, "chats": chats}))
        assert store.conversation(chat) == [("user", "one"), ("user", "two")]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a system that can change its time zone")
def test_every_time_that_is_imported_can_be_written_in_every_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_of_9999 = 253_402_300_799
    with opened(tmp_path) as store:
        for created in (last_of_9999, last_of_9999 - 24 * 3600):
            message = {"role": "user", "content": "x", "state": "complete", "created": created}
            text = json.dumps({"format": 1, "chats": [{"created": created, "messages": [message]}]})
            with suppress(Qwen2Error):
                import_chats(store, text)
        (chat,) = store.chats()
        for zone in ("UTC-14", "UTC+12"):  # which are east and west, as POSIX counts
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            try:
                assert "9999-12-3" in export_chat(store, chat, "markdown")
            finally:
                monkeypatch.undo()
                time.tzset()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_any_change_of_any_value_is_imported_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, good: Any, data: st.DataObject
) -> None:
    bad = json.loads(json.dumps(good))
    at: Any = bad
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not at[key] or not isinstance(at[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
            break
        at = at[key]
    at[key] = data.draw(VALUES)
    with opened(tmp_path_factory.mktemp("any")) as store:
        try:
            chats = import_chats(store, json.dumps(bad))
        except Qwen2Error as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert store.chats() == []
            return
        for chat in chats:
            for kind in ("json", "markdown", "html"):
                export_chat(store, chat, kind, whole_tree=True)
        check(store)
