"""Export under a name that is free, never over a file; import of what was exported."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.chat.screens.export import Export, ImportChats
from app.chat.screens.new_file import SaveError, file_name, free_path, path_of, write_new
from app.chat.store import Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.screens.host import Hand, box, show
from tests.app.chat.screens.sample import HOSTILE, RED, assert_nothing_escapes, chat_about


def test_enter_saves_markdown_under_the_title(store: Store, tmp_path: Path) -> None:
    chat = chat_about(store, "Lease: review?", "Who pays?", "The landlord.")

    async def play(hand: Hand[Any]) -> None:
        assert box(hand).value == str(tmp_path / "Lease-review.md")
        await hand.press("enter")
        assert await hand.result() == tmp_path / "Lease-review.md"

    show(Export(store, chat, tmp_path), play)
    assert "The landlord." in (tmp_path / "Lease-review.md").read_text()


@pytest.mark.parametrize(("presses", "ending", "begins"), [(1, ".json", "{"), (2, ".html", "<!")])
def test_the_format_is_chosen_with_the_arrow_keys_and_the_ending_follows(
    store: Store, tmp_path: Path, presses: int, ending: str, begins: str
) -> None:
    chat = chat_about(store, "Lease", "Who pays?", "The landlord.")

    async def play(hand: Hand[Any]) -> None:
        await hand.tab_to("kind")
        await hand.press(*["right"] * presses)
        assert box(hand).value == str(tmp_path / f"Lease{ending}")
        await hand.press("ctrl+s")
        assert await hand.result() == tmp_path / f"Lease{ending}"

    show(Export(store, chat, tmp_path), play)
    assert (tmp_path / f"Lease{ending}").read_text().lstrip().startswith(begins)


def test_every_branch_or_only_the_one_that_is_shown(store: Store, tmp_path: Path) -> None:
    chat = chat_about(store, "Lease", "Who pays?", "First answer.")
    question = store.path(chat.id)[0].id
    store.add_message(chat.id, question, "assistant", "Second answer.")

    async def shown_branch(hand: Hand[Any]) -> None:
        await hand.press("enter")
        await hand.result()

    async def every_branch(hand: Hand[Any]) -> None:
        await hand.tab_to("kind")
        await hand.press("right")
        await hand.tab_to("branches")
        await hand.press("right", "ctrl+s")
        await hand.result()

    show(Export(store, store.chat(chat.id), tmp_path), shown_branch)
    show(Export(store, store.chat(chat.id), tmp_path), every_branch)
    assert "First answer." not in (tmp_path / "Lease.md").read_text()
    assert "First answer." in json.dumps(json.loads((tmp_path / "Lease.json").read_text()))


def test_a_name_that_exists_is_refused_and_its_file_stays(store: Store, tmp_path: Path) -> None:
    chat = chat_about(store, "Lease", "Who pays?")
    (tmp_path / "mine.md").write_text("mine")

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = str(tmp_path / "mine.md")
        await hand.press("enter")
        await hand.until(lambda: hand.problem)
        assert hand.problem == "! mine.md exists; choose another name"
        assert not hand.closed
        await hand.type("x")
        await hand.until(lambda: not hand.problem)
        await hand.press("escape")
        assert await hand.result() is None

    show(Export(store, chat, tmp_path), play)
    assert (tmp_path / "mine.md").read_text() == "mine"


def test_the_suggested_name_is_one_that_is_free(store: Store, tmp_path: Path) -> None:
    (tmp_path / "Lease.md").touch()
    (tmp_path / "Lease-2.md").symlink_to("nowhere")
    chat = chat_about(store, "Lease", "Who pays?")

    async def play(hand: Hand[Any]) -> None:
        assert box(hand).value == str(tmp_path / "Lease-3.md")

    show(Export(store, chat, tmp_path), play)


@pytest.mark.parametrize("name", ["", "   ", "~nobody-of-this-name/x.md", "no/such/folder/x.md", "x" * 300])
def test_names_that_cannot_be_are_one_line(store: Store, tmp_path: Path, name: str) -> None:
    chat = chat_about(store, RED, "Who pays?")

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = name
        await hand.press("enter")
        await hand.until(lambda: hand.problem)
        assert not hand.closed
        assert_nothing_escapes(hand.text)

    show(Export(store, chat, tmp_path), play)
    assert [path.name for path in tmp_path.iterdir() if "chats.db" not in path.name] == []


@pytest.mark.parametrize("title", [*HOSTILE, "", "...", "../../etc/passwd", "CON", "a/b\\c:d*e?f", "-rf ~"])
def test_any_title_makes_a_name_that_is_safe(title: str) -> None:
    name = file_name(title)
    assert name
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= 80
    assert all(sign.isalnum() or sign in "-_." for sign in name)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match=r"x\.md cannot be written: No space left"):
        write_new(tmp_path / "x.md", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_file_made_in_the_same_moment_is_not_replaced(tmp_path: Path) -> None:
    path = free_path(tmp_path / "x.md")
    path.write_text("theirs")
    with pytest.raises(SaveError, match="exists"):
        write_new(path, "ours")
    assert path.read_text() == "theirs"


def test_a_dropped_path_may_stand_in_quotes() -> None:
    assert path_of(" '/a b/c.json' ") == Path("/a b/c.json")
    with pytest.raises(SaveError):
        path_of("a\0b")


def test_what_was_exported_is_imported_again(store: Store, tmp_path: Path) -> None:
    chat = chat_about(store, "Lease", "Who pays?", "The landlord.")

    async def export(hand: Hand[Any]) -> None:
        await hand.tab_to("kind")
        await hand.press("right", "ctrl+s")
        await hand.result()

    async def bring_back(hand: Hand[Any]) -> None:
        box(hand).value = "Lease.json"
        await hand.press("enter")
        imported = await hand.result()
        assert imported != chat.id
        assert [message.content for message in store.messages([s.id for s in store.path(imported)])] == [
            "Who pays?",
            "The landlord.",
        ]

    show(Export(store, chat, tmp_path), export)
    show(ImportChats(store, tmp_path), bring_back)


def test_what_cannot_be_imported_is_one_line(store: Store, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"chats": [')
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "other.json").write_text("[1, 2]")

    async def play(hand: Hand[Any]) -> None:
        for name in ("broken.json", "bytes.json", "other.json", "absent.json", ".", ""):
            box(hand).value = name
            await hand.pilot.pause()
            await hand.press("enter")
            await hand.until(lambda: hand.problem)
            assert not hand.closed
        await hand.press("escape")
        assert await hand.result() is None

    show(ImportChats(store, tmp_path), play)
    assert store.chats() == []


def test_an_export_that_the_store_refuses_is_one_line(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = chat_about(store, "Lease", "Who pays?")

    def refuse(*_: Any) -> str:
        raise Qwen2Error("this chat is not there any more; open another one")

    monkeypatch.setattr("app.chat.portable.export_chat", refuse)

    async def play(hand: Hand[Any]) -> None:
        await hand.press("enter")
        await hand.until(lambda: "not there any more" in hand.problem)

    show(Export(store, chat, tmp_path), play)
    assert not (tmp_path / "Lease.md").exists()
