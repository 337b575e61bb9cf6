"""Which documents are stored, and when one is read again."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from app.ask.documents.document import Document, Heading, Page
from app.ask.library import File, Library, files
from tests.app.ask.library.samples import cutter, document, prose


def write(path: Path, text: str) -> Document:
    """A file, as a document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return document(text, path.name)


def add(library: Library, path: Path, text: str) -> File:
    return library.add(write(path, text), path)


def rows(library: Library, table: str) -> int:
    return library._database.rows(f"SELECT count(*) FROM {table}")[0][0]


def test_a_document_comes_back_as_it_was_added(library: Library, tmp_path: Path) -> None:
    text = "Eins.\fZwei \x00 é 磨坊 😀.\n\fDrei.\n" + prose(400)
    pages = [Page(1, 0, 6, "i"), Page(2, 6, 20, "ii"), Page(3, 20, 20), Page(4, 20, len(text), "12")]
    added = document(text, "näme.pdf", pages, [Heading(0, 1, "Eins"), Heading(6, 2, "Zwei")], "page")
    file = library.add(added, tmp_path / "näme.pdf")
    read = library.document(file.id)
    assert read == added
    assert read.warnings == added.warnings == file.warnings
    assert (file.name, file.path) == ("näme.pdf", str(tmp_path / "näme.pdf"))
    assert (file.unit, file.characters, file.sha256) == ("page", len(text), added.sha256)
    assert library.files() == [file]
    assert library.file(file.id) == file


def test_a_passage_is_what_stands_between_two_characters(library: Library) -> None:
    text = "é" + prose(600) + "磨坊"
    file = library.add(document(text), None).id
    for start, end in ((0, 1), (4095, 4097), (100, 9000), (0, len(text)), (len(text) - 2, len(text)), (5, 5)):
        passage = library.passage(file, start, end)
        assert (passage.file, passage.start, passage.end) == (file, start, end)
        assert passage.text == text[start:end]
    beyond = library.passage(file, len(text) - 3, len(text) + 100)
    assert (beyond.end, beyond.text) == (len(text), text[-3:])


def test_a_place_is_the_one_the_document_gives(library: Library) -> None:
    text = prose(900).replace(". ", ".\n", 300)
    pages = [Page(1, 0, 500, "i"), Page(2, 500, 500), Page(3, 500, 9000), Page(4, 9000, len(text))]
    added = document(text, pages=pages, unit="page")
    file = library.add(added, None).id
    for position in (0, 499, 500, 501, 4095, 4096, 8999, 9000, len(text) - 1, len(text)):
        assert library.place(file, position) == added.place(position)


def test_a_surrogate_becomes_a_character_of_the_same_length(library: Library) -> None:
    file = library.add(document("a\ud800b", "n\udcffme"), None)
    assert library.document(file.id).text == "a\ufffdb"
    assert file.name == "n\ufffdme"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were compared."""
    hashed: list[Path] = []
    original = files.hash_file
    monkeypatch.setattr(files, "hash_file", lambda path: hashed.append(path) or original(path))
    return hashed


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once: the time of the last change of status cannot be set back."""
    monkeypatch.setattr(files, "_SETTLED", 0)


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_found_without_being_read(
    library: Library, tmp_path: Path, hashed: list[Path]
) -> None:
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    assert [library.find(path) for _ in range(5)] == [file] * 5
    assert len(hashed) == 1


def test_a_file_that_was_just_written_is_compared_by_its_bytes_every_time(
    library: Library, tmp_path: Path, hashed: list[Path]
) -> None:
    """Within a step of the clock an edit may leave size and times as they were."""
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    assert [library.find(path) for _ in range(3)] == [file] * 3
    assert len(hashed) == 3


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("text", ["The mayor sold a cart.", "The mayor sold a boat. Twice.", ""])
def test_an_edited_file_is_not_found(library: Library, tmp_path: Path, text: str) -> None:
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    assert library.find(path) == file
    path.write_text(text)
    assert library.find(path) is None


@pytest.mark.usefixtures("settled")
def test_a_file_that_changed_while_it_was_read_is_not_found(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    read = write(path, "The mayor sold a boat.")
    write(path, "The mayor sold a cart.")
    library.add(read, path)
    assert library.find(path) is None


def test_a_newer_parser_reads_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    monkeypatch.setattr(files, "PARSER_VERSION", files.PARSER_VERSION + 1)
    assert library.find(path) is None
    again = add(library, path, "The mayor sold a boat.")
    assert again.id != file.id
    assert library.files() == [again]


def test_touching_a_file_does_not_read_it_again(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    path.touch()
    assert library.find(path) == file


def test_a_new_version_replaces_the_old_one_with_all_that_belongs_to_it(
    library: Library, tmp_path: Path
) -> None:
    path = tmp_path / "letters.txt"
    old = add(library, path, prose(100))
    library.cut(old.id, cutter())
    new = add(library, path, "The mayor sold a boat.")
    assert library.files() == [new]
    assert new.id > old.id
    with pytest.raises(KeyError):
        library.file(old.id)
    assert rows(library, "pieces") == rows(library, "pages") == 1
    assert rows(library, "chunks") == rows(library, "sets") == rows(library, "terms") == 0
    assert library.verify() == []


def test_adding_the_same_again_keeps_it(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    file = add(library, path, "The mayor sold a boat.")
    set_id = library.cut(file.id, cutter())
    assert add(library, path, "The mayor sold a boat.") == file
    assert library.cut(file.id, cutter()) == set_id
    assert len(library.files()) == 1


def test_equal_content_under_two_paths_keeps_both_names(library: Library, tmp_path: Path) -> None:
    one = add(library, tmp_path / "a" / "report.txt", "The mayor sold a boat.")
    two = add(library, tmp_path / "b" / "copy.txt", "The mayor sold a boat.")
    assert one.id != two.id
    assert library.find(tmp_path / "a" / "report.txt") == one
    assert library.find(tmp_path / "b" / "copy.txt") == two
    library.remove(one.id)
    assert library.files() == [two]
    assert library.document(two.id).text == "The mayor sold a boat."


def test_a_path_is_the_same_however_it_is_written(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(library, tmp_path / "a" / "letters.txt", "The mayor sold a boat.")
    monkeypatch.chdir(tmp_path / "a")
    assert library.find(Path("letters.txt")) == file
    assert library.find(Path("../a/./letters.txt")) == file


def test_text_from_stdin_is_kept_once_and_apart_from_files(library: Library, tmp_path: Path) -> None:
    one = library.add(document("The mayor sold a boat.", "stdin"), None)
    assert library.add(document("The mayor sold a boat.", "stdin"), None) == one
    two = library.add(document("The mayor sold a cart.", "stdin"), None)
    add(library, tmp_path / "letters.txt", "The mayor sold a boat.")
    assert one.path == two.path == ""
    assert len(library.files()) == 3


def test_ids_are_never_given_twice(library: Library) -> None:
    first = library.add(document("One."), None).id
    library.remove(first)
    assert library.add(document("Two."), None).id > first


def test_removing_takes_everything_and_gives_the_room_back(library: Library) -> None:
    other = library.add(document(prose(50, 3)), None)
    kept = library.cut(other.id, cutter())
    chunks, before = library.chunks([kept]), library.size
    file = library.add(document(prose(3000)), None)
    library.cut(file.id, cutter())
    library.cut(file.id, cutter(100, 20))
    assert library.size > 2 * before
    library.remove(file.id)
    assert library.chunks([kept]) == chunks
    assert rows(library, "sets") == 1
    assert rows(library, "chunks") == len(chunks)
    assert library.verify() == []
    library.remove(other.id)
    assert library.size < before
    with pytest.raises(KeyError):
        library.remove(other.id)


def test_what_is_not_there_or_no_file_is_not_found(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    add(library, path, "The mayor sold a boat.")
    assert library.find(tmp_path / "other.txt") is None
    path.unlink()
    assert library.find(path) is None
    path.mkdir()
    assert library.find(path) is None
    assert library.find(Path("\x00")) is None


@pytest.mark.parametrize(
    "name", [b"caf\xe9.txt", b"-", b"'; DROP TABLE files; --", b"%s\n\x1b[2J", b"~", b" "]
)
def test_any_name_a_system_allows_is_kept_as_it_is(library: Library, tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    file = library.add(write(path, "The mayor sold a boat."), path)
    assert file.path == str(path)
    assert library.find(path) == file


@pytest.mark.usefixtures("settled")
def test_a_folder_of_thousands_is_found_fast(library: Library, tmp_path: Path) -> None:
    paths = [tmp_path / "folder" / f"{number}.txt" for number in range(300)]
    for path in paths:
        add(library, path, "The mayor sold a boat.")
    assert all(library.find(path) for path in paths)
    started = time.perf_counter()
    assert all(library.find(path) for path in paths)
    assert time.perf_counter() - started < 300 * 0.003


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    path.write_bytes(b"\xff\x00")
    assert files.hash_file(path) == hashlib.sha256(b"\xff\x00").hexdigest()
