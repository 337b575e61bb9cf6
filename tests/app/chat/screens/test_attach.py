"""Choosing what to attach: by a few letters, by a path, by a pattern."""

from pathlib import Path
from typing import Any

import pytest

from app.chat.documents import picking
from app.chat.screens.attach import Attach, matches
from app.chat.screens.rows import Rows
from tests.app.chat.screens.host import Hand, box, show
from tests.app.chat.screens.sample import assert_nothing_escapes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("report.pdf", "notes/quarterly report.md", "notes/letter.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    monkeypatch.setattr(picking, "_latest", None)
    return tmp_path


def first(hand: Hand[Any]) -> str:
    rows = hand.app.screen.query_one(Rows)
    return str(rows.get_option_at_index(0).prompt) if rows.option_count else ""


def test_letters_find_a_file_and_enter_attaches_it(folder: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("report.pdf", "notes/", "letter.txt")
        await hand.type("qrep")
        await hand.until(lambda: "quarterly report.md" in first(hand))
        await hand.press("enter")
        assert await hand.result() == str(folder / "notes" / "quarterly report.md")

    show(Attach(folder), play)


def test_a_folder_is_attached_whole_or_gone_into(folder: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.type("notes")
        await hand.until(lambda: "notes/" in first(hand))
        await hand.press("tab")
        assert box(hand).value == "./notes/"
        await hand.until(lambda: "letter.txt" in first(hand))
        await hand.press("enter")
        assert await hand.result() == str(folder / "notes" / "letter.txt")

    show(Attach(folder), play)

    async def whole(hand: Hand[Any]) -> None:
        await hand.type("notes")
        await hand.until(lambda: "notes/" in first(hand))
        await hand.press("enter")
        assert await hand.result() == str(folder / "notes")

    show(Attach(folder), whole)


def test_a_path_leads_anywhere(folder: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        box(hand).value = f"{folder}/notes/le"
        await hand.until(lambda: "letter.txt" in first(hand))
        await hand.press("enter")
        assert await hand.result() == str(folder / "notes" / "letter.txt")

    show(Attach(Path("/")), play)


def test_a_pattern_is_taken_as_it_stands(folder: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "notes/*.md"
        await hand.sees("no such file; enter tries the name as it stands")
        await hand.press("enter")
        assert await hand.result() == "notes/*.md"

    show(Attach(folder), play)


def test_keys_move_and_escape_attaches_nothing(folder: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("letter.txt")
        await hand.press("down", "down", "up", "pagedown", "pageup")
        rows = hand.app.screen.query_one(Rows)
        assert rows.highlighted == 0
        await hand.press("escape")
        assert await hand.result() is None

    show(Attach(folder), play)


def test_nothing_to_attach_is_said(tmp_path: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("this folder is empty")
        await hand.press("tab", "enter")
        assert hand.problem == "! type a part of a name"
        assert not hand.closed

    show(Attach(tmp_path), play)


def test_a_huge_tree_is_walked_while_keys_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.chat.screens.attach._STEP", 0.0)

    async def play(hand: Hand[Any]) -> None:
        await hand.type("letter")
        await hand.sees("looking")
        monkeypatch.setattr("app.chat.screens.attach._STEP", 1.0)
        await hand.until(lambda: "letter.txt" in first(hand))

    show(Attach(folder), play)


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    names = ["a\x1b[31mred\nb.txt", "[red]x[red].txt", "gpj.\u202etxt", "~tilde.txt"]
    for name in names:
        (tmp_path / name).write_text("x")

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("a[31mred b.txt", "[red]x[red].txt")
        assert_nothing_escapes(hand.text)
        await hand.type("31m")
        await hand.until(lambda: "31m" in first(hand))
        await hand.press("enter")
        assert await hand.result() == str(tmp_path / names[0])

    show(Attach(tmp_path), play)


def test_a_name_that_begins_with_a_tilde_is_no_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("~tilde.txt").write_text("x")

    async def play(hand: Hand[Any]) -> None:
        await hand.type("tilde")
        await hand.until(lambda: "~tilde.txt" in first(hand))
        await hand.press("enter")
        assert await hand.result() == "./~tilde.txt"

    show(Attach(Path()), play)


def test_completion_in_the_prompt_uses_the_same_search(folder: Path) -> None:
    assert matches(folder, "qrep", 5) == [Path("notes/quarterly report.md")]
