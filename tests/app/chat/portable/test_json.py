"""JSON out and in again."""

import json
from pathlib import Path
from typing import Any

from app.chat.options import Options
from app.chat.portable import export_chat, import_chats
from app.chat.store import Generation
from tests.app.chat.portable.samples import OPTIONS, everything, opened
from tests.app.chat.store.samples import CITATION, GENERATION, check, say


def exported(text: str) -> Any:
    return json.loads(text)["chats"]


def test_everything_comes_back_in_another_file(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as store:
        chat = everything(store)
        text = export_chat(store, chat, "json")
        before = store.messages(stub.id for stub in store.path(chat))
        tree = store.tree(chat)
    with opened(tmp_path / "b") as store:
        (again,) = import_chats(store, text)
        check(store)
        assert (again.title, again.named, again.folder) == (chat.title, True, "work")
        assert (again.options, again.draft, again.pinned) == (OPTIONS, "and then", True)
        after = store.messages(stub.id for stub in store.path(again))
        assert [(one.content, one.state, one.generation, one.document, one.citations) for one in after] == [
            (one.content, one.state, one.generation, one.document, one.citations) for one in before
        ]
        assert after[-1].citations == (CITATION,)
        assert after[-1].generation == GENERATION
        assert store.readings(after[-1].id) != []
        assert store.attachments(again.id)[0].path == "/home/me/lease.pdf"
        assert [(node.line, node.level, node.state, node.shown) for node in store.tree(again)] == [
            (node.line, node.level, node.state, node.shown) for node in tree
        ]
        errors = [message.error for message in store.messages(node.id for node in store.tree(again))]
        assert "no room <here>" in errors
        assert [hit.chat for hit in store.search("lease")] == [again.id] * 2
        assert exported(export_chat(store, again, "json")) == exported(text)


def test_importing_again_adds_another_chat(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = everything(store)
        text = export_chat(store, chat, "json")
        first = import_chats(store, text)[0]
        second = import_chats(store, text)[0]
        assert len({chat.id, first.id, second.id}) == 3
        assert store.chat(chat.id) == chat
        last = store.last_chat()
        assert last is not None
        assert last.id == second.id
        say(store, second.id, "and on")
        assert exported(export_chat(store, first, "json")) == exported(text)


def test_an_empty_chat_comes_back(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options())
        (again,) = import_chats(store, export_chat(store, chat.id, "json"))
        assert (again.head, again.title, again.options) == (None, "", Options())


def test_any_seed_comes_back(tmp_path: Path) -> None:
    sampling = {"seed": 2**64 - 1}
    made = Generation("tiny", seed=2**64 - 1, sampling=sampling)
    with opened(tmp_path) as store:
        chat = store.new_chat(Options(sampling=sampling))
        store.begin_answer(chat.id, None, made)
        (again,) = import_chats(store, export_chat(store, chat.id, "json"))
        assert again.options == chat.options
        assert store.message(store.path(again)[0].id).generation == made


def test_the_trash_stays_at_home(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options())
        first, second = say(store, chat.id, "one", "secret")
        store.add_message(chat.id, first.id, "user", "edited", edited_from=second.id)
        store.delete_message(second.id)
        text = export_chat(store, chat.id, "json")
        assert "secret" not in text
        (again,) = import_chats(store, text)
        assert [node.line for node in store.tree(again)] == ["one", "edited"]


def test_an_answer_that_is_being_written_is_exported_as_interrupted(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options())
        answer = store.begin_answer(chat.id, None, GENERATION)
        store.journal().append(answer.id, "half")
        (again,) = import_chats(store, export_chat(store, chat.id, "json"))
        message = store.message(store.path(again)[0].id)
        assert (message.state, message.content) == ("interrupted", "half")
