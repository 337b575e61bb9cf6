"""The table of commands, and completing what is typed."""

from pathlib import Path

import pytest

from app.chat.completion import Completer
from app.chat.slash import COMMANDS, parse
from app.chat.store import Template


@pytest.fixture
def completer(tmp_path: Path) -> Completer:
    (tmp_path / "Letters").mkdir()
    (tmp_path / "Letters" / "to mother.txt").touch()
    (tmp_path / "report.pdf").touch()
    (tmp_path / ".hidden.txt").touch()
    templates = [Template("sum", "Summarise", "Summarise this: ")]
    return Completer(lambda: templates, {"themes": lambda: ["textual-dark", "nord"]}, tmp_path)


def labels(completer: Completer, before: str) -> list[str]:
    return [candidate.label for candidate in completer.candidates(before)]


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("/new", ("new", "")),
        ("/rename  My chat ", ("rename", "My chat")),
        ("/system one\ntwo", ("system", "one\ntwo")),
        ("/nosuch x", ("nosuch", "x")),
        ("/etc/hosts", None),
        (" /new", None),
        ("/", None),
        ("/2+2", None),
        ("new", None),
        ("/new\nline", None),
    ],
)
def test_a_text_calls_a_command_or_is_a_message(text: str, called: tuple[str, str] | None) -> None:
    assert parse(text) == called


def test_names_are_unique_and_explained() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    assert all(parse(f"/{command.name}") == (command.name, "") for command in COMMANDS)
    assert all(command.help[0].isupper() and not command.help.endswith(".") for command in COMMANDS)


def test_commands_and_templates_are_offered_the_nearest_first(completer: Completer) -> None:
    assert labels(completer, "/re")[:3] == ["/rename title", "/restore", "/retry"]
    assert labels(completer, "/sum")[0] == "/sum"
    assert labels(completer, "/")[0] == "/new"
    assert labels(completer, "/rnm") == ["/rename title"]


def test_what_stands_behind_a_command_is_offered(completer: Completer) -> None:
    assert labels(completer, "/theme ") == ["textual-dark", "nord"]
    assert labels(completer, "/theme no") == ["nord"]
    assert labels(completer, "/rename x") == []
    assert labels(completer, "/attach re") == ["report.pdf"]


def test_files_are_offered_behind_an_at_sign_hidden_ones_only_when_asked_for(completer: Completer) -> None:
    assert labels(completer, "see @") == ["Letters/", "report.pdf"]
    assert labels(completer, "see @.h") == [".hidden.txt"]
    assert labels(completer, "@Letters/to mo") == ["to mother.txt"]
    assert labels(completer, "a@b") == []
    assert labels(completer, "@ new") == []
    assert labels(completer, "@nosuch/") == []


def test_a_chosen_file_is_attached_by_its_whole_path(completer: Completer, tmp_path: Path) -> None:
    found = completer.candidates("see @rep")[0]
    assert (found.start, found.text, found.attach) == (4, "", str(tmp_path / "report.pdf"))
    folder = completer.candidates("see @Let")[0]
    assert (folder.start, folder.text, folder.attach) == (5, "Letters/", "")


def test_a_later_line_offers_no_commands(completer: Completer) -> None:
    assert completer.candidates("/re", first=False) == []
    assert completer.candidates("see @rep", first=False) != []
