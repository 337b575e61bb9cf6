"""The tables of docs/chat.md are those of the program. UPDATE_DOCS=1 writes them."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from app.chat.config import SETTINGS, _toml
from app.chat.keymap import shown
from app.chat.keys import KEYS
from app.chat.slash import COMMANDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chat.md"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def key_table() -> str:
    rows = (
        (" ".join(f"`{shown(name)}`" for name in key.keys.split(",")), key.where, key.help, f"`{key.id}`")
        for key in KEYS
    )
    return table(("key", "where", "does", "id"), rows)


def command_table() -> str:
    return table(("command", "does"), ((f"`{command.label}`", command.help) for command in COMMANDS))


def settings_table() -> str:
    rows = ((f"`{each.name}`", f"`{_toml(each.example)}`", each.help) for each in SETTINGS)
    return table(("setting", "default or example", "what it is"), rows)


@pytest.mark.parametrize(
    ("name", "made"),
    [("keys", key_table()), ("commands", command_table()), ("settings", settings_table())],
)
def test_the_tables_of_the_page_are_those_of_the_program(name: str, made: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    found = pattern.search(page)
    assert found is not None
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page[: found.start(2)] + made + page[found.end(2) :], encoding="utf-8")
        return
    assert found[2] == made, f"docs/chat.md is not up to date; UPDATE_DOCS=1 pytest {__file__} writes it"


def test_the_pictures_of_the_page_are_there() -> None:
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / picture).is_file(), picture
