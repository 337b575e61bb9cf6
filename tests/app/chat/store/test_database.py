"""Opening, upgrading and losing the file."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.chat.options import Options
from app.chat.store import Chat, Store, Template, migrations
from app.chat.store.place import VARIABLE, default_path
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.store.samples import GENERATION, check, say, texts
from tests.app.programs import ROOT

as_root = os.geteuid() == 0


def fill(place: Path) -> Chat:
    with Store.open(place) as store:
        chat = store.new_chat(Options(), "kept")
        say(store, chat.id, "one", "two")
        return store.chat(chat.id)


def damage(place: Path, start: int) -> None:
    with place.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * 4096)


def set_version(place: Path, version: int) -> None:
    connection = sqlite3.connect(place)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_the_users_own_chats_lie_in_the_data_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: Path
) -> None:
    assert default_path().is_relative_to(home)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.sqlite"))
    with Store.open() as store:
        assert store.file == tmp_path / "mine.sqlite"
        assert store.size > 0
        assert not store.read_only


def test_chats_are_for_their_owners_eyes_only(place: Path) -> None:
    fill(place)
    with Store.open(place) as store:
        store.update_chat(1, draft="x")
        modes = [path.stat().st_mode & 0o777 for path in (place.parent, *place.parent.iterdir())]
    assert modes[0] == 0o700
    assert set(modes[1:]) == {0o600}


def test_what_was_stored_is_there_after_opening_again(place: Path) -> None:
    chat = fill(place)
    with Store.open(place) as store:
        assert store.chats() == [chat]
        assert texts(store, chat.id) == ["one", "two"]
        assert store._database.rows("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("content", [b"not a database at all", b"PK\x03\x04" * 500, b"\x00" * 100])
def test_a_file_of_others_is_left_alone(place: Path, content: bytes) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    with pytest.raises(Qwen2Error, match="is no file of chats; name another file"):
        Store.open(place)
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
        Store.open(place)
    assert place.read_bytes() == before


def test_the_users_own_chats_are_set_aside_when_they_are_no_database(place: Path) -> None:
    own = default_path()
    own.parent.mkdir(parents=True)
    told: list[str] = []
    for number in (1, 2):
        own.write_bytes(b"overwritten by something")
        for suffix in ("-wal", "-shm"):
            Path(f"{own}{suffix}").unlink(missing_ok=True)
        with Store.open(notify=told.append) as store:
            assert store.chats() == []
        aside = Path(f"{own}.damaged-{number}")
        assert aside.read_bytes() == b"overwritten by something"
        assert str(aside) in told[-1]


def test_damaged_chats_anywhere_are_set_aside_and_never_deleted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(place)
    damage(place, 100)
    damaged = place.read_bytes()
    with Store.open(place) as store:
        assert store.chats() == []
        store.new_chat(Options())
    assert Path(f"{place}.damaged-1").read_bytes() == damaged
    assert "were damaged" in capsys.readouterr().err


def test_damage_that_shows_later_is_one_line(place: Path) -> None:
    with Store.open(place) as store:
        chat = store.new_chat(Options())
        say(store, chat.id, *("the mill " * 2000 for _ in range(10)))
    content = place.read_bytes()
    for at in range(0, len(content), 4096):
        if content.count(b"the mill", at, at + 4096) > 5:
            damage(place, at)
    with Store.open(place) as store, pytest.raises(Qwen2Error, match="is damaged"):
        texts(store, chat.id)


def test_chats_of_a_newer_version_are_read_and_never_written(place: Path) -> None:
    chat = fill(place)
    with Store.open(place) as store:
        answer = store.begin_answer(chat.id, chat.head, GENERATION)
        store._database.run("UPDATE messages SET writer = '999999999:x' WHERE id = ?", (answer.id,))
    set_version(place, 99)
    before = place.read_bytes()
    told: list[str] = []
    with Store.open(place, told.append) as store:
        assert store.read_only
        assert texts(store, chat.id) == ["one", "two", ""]
        assert len(store.search("two")) == 1
        for work in (
            lambda: store.new_chat(Options()),
            lambda: store.add_message(chat.id, None, "user", "x"),
            lambda: store.update_chat(chat.id, draft="x"),
            lambda: store.delete_chat(chat.id),
            lambda: store.purge(),
            lambda: store.finish_answer(answer.id, "complete"),
            lambda: store.save_template(Template("a", "", "")),
        ):
            with pytest.raises(Qwen2Error, match=r"newer version and can only be read; update"):
                work()
        store.journal().append(answer.id, "lost")
        assert store.message(answer.id).content == ""
    assert len(told) == 1
    assert "newer version" in told[0]
    assert "\n" not in told[0]
    assert place.read_bytes() == before


def test_newer_tables_that_cannot_be_read_are_one_line(place: Path) -> None:
    fill(place)
    connection = sqlite3.connect(place)
    connection.execute("ALTER TABLE chats RENAME COLUMN draft TO scratch")
    connection.close()
    set_version(place, 99)
    with Store.open(place, lambda told: None) as store, pytest.raises(Qwen2Error, match="newer version"):
        store.chats()


STEPS = (
    "CREATE TABLE newer (a INTEGER) STRICT;\nALTER TABLE chats ADD COLUMN colour TEXT;\n",
    "INSERT INTO newer SELECT id FROM chats;\n",
)


def test_older_chats_are_upgraded_step_by_step_after_a_copy_was_made(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = fill(place)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *STEPS))
    with Store.open(place) as store:
        assert store.chats() == [chat]
        assert texts(store, chat.id) == ["one", "two"]
        assert store._database.rows("SELECT a FROM newer") == [(chat.id,)]
        assert store._database.rows("PRAGMA user_version") == [(3,)]
        check(store)
    monkeypatch.undo()
    copy = Path(f"{place}.version-1")
    assert copy.stat().st_mode & 0o777 == 0o600
    with Store.open(copy) as store:
        assert store.chats() == [chat]
        assert texts(store, chat.id) == ["one", "two"]
        assert not store.read_only
    assert not [path for path in place.parent.iterdir() if path.suffix == ".part"]


def test_the_copy_of_an_older_version_survives_a_second_program_that_upgrades(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *STEPS))
    back_up = migrations._back_up

    def after_another(connection: sqlite3.Connection, path: Path, version: int) -> None:
        monkeypatch.setattr(migrations, "_back_up", back_up)
        Store.open(place).close()
        back_up(connection, path, version)

    monkeypatch.setattr(migrations, "_back_up", after_another)
    Store.open(place).close()
    connection = sqlite3.connect(f"{place}.version-1")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
    assert not [path for path in place.parent.iterdir() if path.suffix == ".part"]


def test_a_failed_step_leaves_the_version_before_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = fill(place)
    broken = "DELETE FROM texts;\nDROP TABLE that_is_not_there;\n"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, STEPS[0], broken))
    with pytest.raises(sqlite3.OperationalError, match="that_is_not_there"):
        Store.open(place)
    monkeypatch.undo()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, STEPS[0]))
    with Store.open(place) as store:
        assert store._database.rows("PRAGMA user_version") == [(2,)]
        assert texts(store, chat.id) == ["one", "two"]


def test_a_step_that_breaks_references_is_not_taken(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = fill(place)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, "DELETE FROM chats;\n"))
    with pytest.raises(sqlite3.IntegrityError, match="references to nothing"):
        Store.open(place)
    monkeypatch.undo()
    with Store.open(place) as store:
        assert texts(store, chat.id) == ["one", "two"]


def _folder(place: Path) -> None:
    place.mkdir(parents=True)


def _under_a_file(place: Path) -> None:
    place.parent.write_text("a file where a folder should be")


def _pipe(place: Path) -> None:
    place.parent.mkdir()
    os.mkfifo(place)


@pytest.mark.parametrize("prepare", [_folder, _under_a_file, _pipe])
def test_a_place_where_no_chats_can_be_is_one_line(place: Path, prepare: Callable[[Path], None]) -> None:
    prepare(place)
    with pytest.raises(Qwen2Error, match=r"name another (file|one)") as caught:
        Store.open(place)
    assert str(place) in str(caught.value)


@pytest.mark.skipif(as_root, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(place: Path) -> None:
    place.parent.mkdir()
    place.parent.chmod(0o500)
    with pytest.raises(Qwen2Error, match="cannot be written"):
        Store.open(place)
    place.parent.chmod(0o700)


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY]
)
def test_what_sqlite_refuses_is_one_line(place: Path, code: int) -> None:
    from app.chat.store.database import explained

    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code | 0x100
    reason = explained(error, place)
    assert reason
    assert str(place) in reason


def test_a_full_disk_is_one_line_and_loses_nothing(place: Path) -> None:
    with Store.open(place) as store:
        chat = store.new_chat(Options(), "kept")
        say(store, chat.id, "one", "two")
        answer = store.begin_answer(chat.id, store.chat(chat.id).head, GENERATION)
        journal = store.journal()
        journal.append(answer.id, "three")
        pages = store._database.rows("PRAGMA page_count")[0][0]
        store._database.run(f"PRAGMA max_page_count = {pages + 3}")
        assert journal._connection is not None
        journal._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(Qwen2Error, match="no room"):
            journal.append(answer.id, "x" * 50_000)
        with pytest.raises(Qwen2Error, match="no room"):
            store.add_message(chat.id, None, "user", "y" * 50_000)
        with pytest.raises(Qwen2Error, match="no room"):
            store.finish_answer(answer.id, "complete", content="z" * 50_000)
        assert texts(store, chat.id) == ["one", "two", "three"]
        store._database.run(f"PRAGMA max_page_count = {pages + 1000}")
        assert store.finish_answer(answer.id, "complete").content == "three"
        check(store)


@pytest.mark.parametrize(
    "name", ["with space ? # %41.sqlite", "file:a?mode=ro", ":memory:", "-", "磨坊.sqlite"]
)
def test_any_name_is_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path(name))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *STEPS))
    Store.open(Path(name)).close()
    assert (tmp_path / name).stat().st_size > 0
    assert (tmp_path / f"{name}.version-1").stat().st_size > 0


def test_opening_a_chat_loads_nothing_that_only_documents_need(place: Path) -> None:
    fill(place)
    code = (
        "import sys; from pathlib import Path; from app.chat.store import Store\n"
        "with Store.open(Path(sys.argv[1])) as store: store.messages([stub.id for stub in store.path(1)])\n"
        "sys.exit('app.ask.library' in sys.modules or 'markdown_it' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(place)], cwd=ROOT, check=False).returncode == 0
