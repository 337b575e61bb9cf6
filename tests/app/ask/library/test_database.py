"""Opening, upgrading and losing a library."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.ask.library import File, Library, Term, schema
from app.ask.library.place import VARIABLE, default_path
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.library.samples import cutter, document, prose
from tests.app.programs import ROOT

as_root = os.geteuid() == 0


def fill(place: Path) -> File:
    with Library.open(place) as library:
        file = library.add(document(prose(300)), None)
        library.cut(file.id, cutter())
    return file


def damage(place: Path, start: int, data: bytes = b"\xa5" * 4096) -> None:
    with place.open("r+b") as file:
        file.seek(start)
        file.write(data)


def test_the_users_own_library_lies_in_the_data_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert default_path().is_relative_to(home)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.sqlite"))
    with Library.open() as library:
        assert library.path == tmp_path / "mine.sqlite"
        assert library.size > 0


def test_a_library_is_for_its_owners_eyes_only(place: Path) -> None:
    fill(place)
    with Library.open(place) as library:
        library.save_scores({"a": 1.0})
        modes = [path.stat().st_mode & 0o777 for path in (place.parent, *place.parent.iterdir())]
    assert modes[0] == 0o700
    assert set(modes[1:]) == {0o600}


def test_what_was_stored_is_there_after_opening_again(place: Path) -> None:
    file = fill(place)
    with Library.open(place) as library:
        assert library.files() == [file]


@pytest.mark.parametrize("content", [b"not a database at all", b"PK\x03\x04" * 500, b"\x00" * 100])
def test_a_file_of_others_is_left_alone(place: Path, content: bytes) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    with pytest.raises(Qwen2Error, match="is not a library; name another file"):
        Library.open(place)
    assert place.read_bytes() == content
    assert list(place.parent.iterdir()) == [place]


def test_a_database_of_others_is_left_alone(place: Path) -> None:
    place.parent.mkdir()
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE theirs (a)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    before = place.read_bytes()
    with pytest.raises(Qwen2Error, match="another program's database"):
        Library.open(place)
    assert place.read_bytes() == before


def test_the_users_own_library_is_set_aside_when_it_is_no_database() -> None:
    place = default_path()
    place.parent.mkdir(parents=True)
    place.write_bytes(b"overwritten by something")
    told: list[str] = []
    with Library.open(notify=told.append) as library:
        assert library.files() == []
    aside = Path(f"{place}.damaged-1")
    assert aside.read_bytes() == b"overwritten by something"
    assert len(told) == 1
    assert str(aside) in told[0]
    place.write_bytes(b"and again")
    Library.open(notify=told.append).close()
    assert Path(f"{place}.damaged-2").read_bytes() == b"and again"


def test_a_damaged_library_anywhere_is_set_aside_and_never_deleted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(place)
    damage(place, 100)
    damaged = place.read_bytes()
    with Library.open(place) as library:
        assert library.files() == []
        library.add(document("One."), None)
    assert Path(f"{place}.damaged-1").read_bytes() == damaged
    assert "was damaged" in capsys.readouterr().err


def use(library: Library, file: int) -> None:
    """Reads and writes all there is."""
    library.document(file)
    sets = [library.cut(file, cutter(64, size)) for size in (10, 9)]
    library.chunks(sets)
    library.search(sets, [Term("the mayor")], 5)


def test_damage_that_shows_later_is_one_line(place: Path) -> None:
    file = fill(place)
    content = place.read_bytes()
    texts = [at for at in range(0, len(content), 4096) if content.count(b" the ", at, at + 4096) > 5]
    for start in texts:
        damage(place, start)
    with Library.open(place) as library:
        with pytest.raises(Qwen2Error, match=r"is damaged .*qwen2-ask library verify"):
            use(library, file.id)
        problems = library.verify()
    assert problems
    assert all("damaged" in problem for problem in problems)


def test_a_newer_library_is_not_touched(place: Path) -> None:
    fill(place)
    connection = sqlite3.connect(place)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Qwen2Error, match="newer version"):
        Library.open(place)


def test_an_older_library_is_upgraded_after_a_copy_was_made(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fill(place)
    steps = (*schema.MIGRATIONS, "CREATE TABLE newer (a);\nALTER TABLE speeds ADD COLUMN b;\n")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with Library.open(place) as library:
        assert library.files() == [file]
        assert library._database.rows("SELECT count(*) FROM newer") == [(0,)]
        assert library._database.rows("PRAGMA user_version") == [(2,)]
    monkeypatch.undo()
    with Library.open(Path(f"{place}.version-1")) as copy:
        assert copy.files() == [file]
        assert copy.verify() == []


def test_a_failed_upgrade_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fill(place)
    steps = (*schema.MIGRATIONS, "CREATE TABLE newer (a);\nDROP TABLE that_is_not_there;\n")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with pytest.raises(sqlite3.OperationalError, match="that_is_not_there"):
        Library.open(place)
    monkeypatch.undo()
    with Library.open(place) as library:
        assert library.files() == [file]
        assert library.verify() == []


def test_programs_that_start_together_make_one_library(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from app.ask.library import Library\n"
        "with Library.open(Path(sys.argv[1])) as library: library.save_scores({sys.argv[2]: 1.0})"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(place), str(number)], cwd=ROOT)
        for number in range(4)
    ]
    assert [program.wait(timeout=60) for program in programs] == [0] * 4
    with Library.open(place) as library:
        assert [library.score(str(number)) for number in range(4)] == [1.0] * 4
        assert library.verify() == []


def _folder(place: Path) -> None:
    place.mkdir(parents=True)


def _under_a_file(place: Path) -> None:
    place.parent.write_text("a file where a folder should be")


def _pipe(place: Path) -> None:
    place.parent.mkdir()
    os.mkfifo(place)


@pytest.mark.parametrize("prepare", [_folder, _under_a_file, _pipe])
def test_a_place_where_no_library_can_be_is_one_line(place: Path, prepare: Callable[[Path], None]) -> None:
    prepare(place)
    with pytest.raises(Qwen2Error, match=r"name another (file|one)") as caught:
        Library.open(place)
    assert str(place) in str(caught.value)


@pytest.mark.skipif(as_root, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(place: Path) -> None:
    place.parent.mkdir()
    place.parent.chmod(0o500)
    with pytest.raises(Qwen2Error, match="cannot be written"):
        Library.open(place)
    place.parent.chmod(0o700)


@pytest.mark.parametrize(
    "code",
    [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY],
)
def test_what_sqlite_refuses_is_one_line(place: Path, code: int) -> None:
    from app.ask.library.database import _explained

    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code | 0x100
    reason = _explained(error, place)
    assert reason
    assert str(place) in reason
    assert "another" in reason


def test_a_full_disk_is_one_line_and_loses_nothing(place: Path) -> None:
    with Library.open(place) as library:
        file = library.add(document(prose(2000)), None)
        pages = library._database.rows("PRAGMA page_count")[0][0]
        library._database.run(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(Qwen2Error, match="no room"):
            library.add(document(prose(1000), "other.txt"), None)
        with pytest.raises(Qwen2Error, match="no room"):
            library.cut(file.id, cutter())
        assert library.files() == [file]
    with Library.open(place) as library:
        assert library.verify() == []
        set_id = library.cut(file.id, cutter())
        assert len(library.chunks([set_id])) > 100


@pytest.mark.parametrize(
    "name", ["with space ? # %41.sqlite", "file:a?mode=ro", ":memory:", "-", "磨坊.sqlite"]
)
def test_any_name_is_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with Library.open(Path(name)) as library:
        library.save_scores({"a": 1.0})
    assert (tmp_path / name).stat().st_size > 0
