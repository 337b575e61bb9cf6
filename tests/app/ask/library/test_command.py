"""qwen2-ask library from the command line to the exit code."""

import json
import os
from pathlib import Path

import pytest

from app.ask.library import File, Library
from app.ask.library.place import default_path
from tests.app.ask.library.samples import cutter, document, prose
from tests.app.programs import Outcome, Run


@pytest.fixture
def stored(tmp_path: Path) -> tuple[File, File]:
    """The user's own library with an indexed file and a text from stdin, which came last."""
    with Library.open() as library:
        file = library.add(document(prose(60)), tmp_path / "letters.txt")
        library.cut(file.id, cutter())
        return file, library.add(document("One.\nTwo.", "stdin"), None)


@pytest.fixture
def library_command(run: Run) -> Run:
    return lambda *arguments: run("qwen2-ask", "library", *arguments)


def test_list_shows_the_documents_the_last_added_first(
    library_command: Run, stored: tuple[File, File]
) -> None:
    done: Outcome = library_command("list")
    head, first, second, summary = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert head.split() == ["ID", "LENGTH", "TOKENS", "ADDED", "DOCUMENT"]
    assert first.split()[:4] == [str(stored[1].id), "2", "lines", "-"]
    assert first.endswith("stdin")
    assert second.split()[:3] == [str(stored[0].id), "12", "lines"]
    assert second.endswith("letters.txt")
    assert summary.startswith("2 documents, ")
    assert summary.endswith(f"iB, in {default_path()}")


def test_an_empty_list_is_one_line(library_command: Run) -> None:
    assert library_command("list").out.startswith("0 documents, ")
    assert library_command("list").out.count("\n") == 1


def test_json_is_for_programs(library_command: Run, stored: tuple[File, File]) -> None:
    listed = json.loads(library_command("list", "--json").out)
    assert listed["library"] == str(default_path())
    assert listed["bytes"] > 4096
    piped, file = listed["files"]
    assert piped["path"] is None
    assert file["path"] == stored[0].path
    assert (file["unit"], file["units"], file["characters"]) == ("line", 12, stored[0].characters)
    assert file["sha256"] == stored[0].sha256
    assert file["warnings"] == ["a page is missing"]
    assert [cut["chunks"] > 3 and cut["tokens"] > 100 for cut in file["indexed"]] == [True]
    assert json.loads(library_command("show", stored[0].path, "--json").out) == file
    assert json.loads(library_command("verify", "--json").out) == {"checked": 2, "problems": []}


def test_show_takes_a_number_or_a_path(
    library_command: Run, stored: tuple[File, File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_number = library_command("show", stored[0].id).out
    assert library_command("show", "letters.txt").out == by_number
    assert library_command("show", tmp_path / "letters.txt").out == by_number
    facts = dict(line.split(maxsplit=1) for line in by_number.splitlines())
    assert facts["sha256"] == stored[0].sha256
    assert facts["lines"] == "12"
    assert facts["warning"] == "a page is missing"
    assert facts["tokens"].endswith("chunks")
    assert "(stdin)" in library_command("show", stored[1].id).out


def test_remove_removes_what_it_is_given_and_nothing_else(
    library_command: Run, stored: tuple[File, File]
) -> None:
    done = library_command("remove", stored[0].path, stored[0].id)
    assert (done.code, done.out) == (0, f"removed {stored[0].id} letters.txt\n")
    with Library.open() as library:
        assert library.files() == [stored[1]]


def test_a_name_that_is_not_there_removes_nothing(library_command: Run, stored: tuple[File, File]) -> None:
    library_command("remove", stored[0].id, "other.txt").assert_one_line(1, "no document 'other.txt'", "list")
    library_command("show", "99").assert_one_line(1, "no document '99'")
    library_command("remove").assert_one_line(2, "FILE")
    library_command().assert_one_line(2, "ACTION")
    with Library.open() as library:
        assert len(library.files()) == 2


def test_verify_returns_1_for_damage(library_command: Run, stored: tuple[File, File]) -> None:
    assert library_command("verify").out == "2 documents checked, nothing is wrong\n"
    with Library.open() as library:
        library._database.run("UPDATE pieces SET text = 'x' WHERE number = 0 AND file = ?", (stored[0].id,))
    done = library_command("verify")
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("'letters.txt': its text has changed")
    assert done.out.splitlines()[1] == "2 documents checked, 1 problem"
    assert len(json.loads(library_command("verify", "--json").out)["problems"]) == 1


def test_another_library_is_used_where_it_is_named(
    library_command: Run, stored: tuple[File, File], tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    with Library.open(other) as library:
        library.add(document("One."), None)
    assert "1 document, " in library_command("list", "--library", other).out


def test_names_cannot_write_to_the_terminal(library_command: Run, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\x1b[2J\nb\xff")
    with Library.open() as library:
        file = library.add(document("One.", path.name), path)
    for action in (["list"], ["show", file.id], ["list", "--json"], ["remove", file.id]):
        done = library_command(*action)
        assert done.code == 0
        assert "\x1b" not in done.out
    assert done.out.count("\n") == 1


def test_a_file_that_is_no_library_is_one_line(library_command: Run, tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    path.write_text("The mayor sold a boat.")
    library_command("list", "--library", path).assert_one_line(1, "is not a library")
