"""A folder of entries: whole or not there, within the limit, shared by many."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from qwen2_mlx.prefix_store import folder as folder_module
from qwen2_mlx.prefix_store.entry import check_entry, entry_bytes
from qwen2_mlx.prefix_store.folder import Folder, NoRoomError
from qwen2_mlx.prefix_store.verify import damage
from tests.qwen2_mlx.prefix_store.samples import add_sample, sample

SIZE = entry_bytes(sample(1)[1])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder with room for three and a half samples."""
    return Folder(tmp_path / "prefixes", 7 * SIZE // 2)


def names(folder: Folder) -> set[str]:
    return {path.name for path in folder.path.iterdir() if path.is_file()}


def age(path: Path, seconds: float) -> None:
    os.utime(path, (path.stat().st_atime - seconds, path.stat().st_mtime - seconds))


def test_an_added_entry_is_listed_with_what_its_name_says(folder: Folder) -> None:
    path = add_sample(folder, 1, tokens=9)
    (stored,) = folder.files()
    assert (stored.path, stored.key, stored.tokens) == (path, sample(1, 9)[0], 9)
    assert stored.size == path.stat().st_size


def test_a_folder_that_does_not_exist_is_empty_and_stays_so(folder: Folder) -> None:
    folder.sweep()
    assert folder.files() == []
    assert folder.set_aside_files() == []
    assert not folder.path.exists()


def test_only_the_owner_can_read_what_is_kept(folder: Folder) -> None:
    path = add_sample(folder, 1)
    folder.set_aside(path, path.open("rb"))
    again = add_sample(folder, 1)
    assert {found.stat().st_mode & 0o777 for found in (folder.path, path.parent / "set-aside")} == {0o700}
    assert again.stat().st_mode & 0o777 == 0o600


def test_foreign_files_are_neither_listed_nor_removed(folder: Folder) -> None:
    add_sample(folder, 0)
    for name in ("notes.txt", "model.safetensors", f"{'g' * 64}-8.safetensors"):
        (folder.path / name).write_bytes(bytes(10 * SIZE))
    (folder.path / f"{'a' * 64}-8.safetensors").symlink_to(folder.path / "notes.txt")
    for seed in range(1, 4):
        add_sample(folder, seed)
    assert len(folder.files()) == 3
    assert {"notes.txt", "model.safetensors", f"{'g' * 64}-8.safetensors"} <= names(folder)


def test_the_entry_unused_for_longest_makes_room(folder: Folder) -> None:
    first, second, third = (add_sample(folder, seed) for seed in (1, 2, 3))
    for path, seconds in ((first, 30), (second, 20), (third, 10)):
        age(path, seconds)
    folder.touch(first)
    fourth = add_sample(folder, 4)
    assert {stored.path for stored in folder.files()} == {first, third, fourth}


def test_a_new_entry_stays_even_where_the_clock_has_gone_back(folder: Folder) -> None:
    for seed in (1, 2, 3):
        age(add_sample(folder, seed), -1000)
    new = add_sample(folder, 4)
    assert new in {stored.path for stored in folder.files()}
    assert len(folder.files()) == 3


def test_what_was_set_aside_makes_room_first(folder: Folder) -> None:
    damaged = add_sample(folder, 1)
    with damaged.open("rb") as file:
        folder.set_aside(damaged, file)
    others = {add_sample(folder, seed) for seed in (2, 3)}
    assert len(folder.set_aside_files()) == 1
    others.add(add_sample(folder, 4))
    assert {stored.path for stored in folder.files()} == others
    assert folder.set_aside_files() == []


def test_an_entry_larger_than_the_limit_costs_no_other(folder: Folder) -> None:
    kept = add_sample(folder, 1)
    with pytest.raises(NoRoomError, match="limit"):
        add_sample(folder, 2, floats=4096)
    assert names(folder) == {kept.name}


def test_a_full_disk_is_noticed_before_anything_is_written(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = add_sample(folder, 1)
    monkeypatch.setattr(folder_module, "_SPARE_BYTES", 2**60)
    with pytest.raises(NoRoomError, match="disk"):
        add_sample(folder, 2)
    assert names(folder) == {kept.name}


def test_a_write_that_fails_half_way_leaves_all_as_it_was(folder: Folder) -> None:
    """The limit on the size of a file fails a real write, as a full disk would."""
    kept = {add_sample(folder, seed).name for seed in (1, 2, 3)}
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from qwen2_mlx.prefix_store.folder import Folder\n"
        "from tests.qwen2_mlx.prefix_store.samples import add_sample\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        "try:\n"
        f"    add_sample(Folder(Path(sys.argv[1]), {folder.limit}), 4)\n"
        "except OSError as error:\n"
        "    sys.exit(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder.path)], check=False)
    assert SIZE > 400
    assert done.returncode == errno.EFBIG
    assert names(folder) == kept


def test_a_payload_that_breaks_off_leaves_nothing(folder: Folder) -> None:
    key, header, data = sample(1)
    with pytest.raises(ValueError, match="shorter"):
        folder.add(key, 8, header, iter(data[:1]))
    assert names(folder) == set()


def test_the_next_start_removes_what_a_dead_writer_left_and_spares_a_living_one(folder: Folder) -> None:
    kept = add_sample(folder, 1)
    dead, living = folder.path / ".unfinished-1", folder.path / ".unfinished-2"
    dead.write_bytes(bytes(100))
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        folder.sweep()
        assert names(folder) == {kept.name, living.name}
    folder.sweep()
    assert names(folder) == {kept.name}


def test_a_file_swept_before_it_was_locked_is_begun_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, swept = fcntl.flock, []

    def sweep_first(file: object, operation: int) -> None:
        if not swept:
            swept.extend(folder.path.glob(".unfinished-*"))
            swept[0].unlink()
        real(file, operation)  # type: ignore[arg-type]

    folder.path.mkdir()
    monkeypatch.setattr(folder_module.fcntl, "flock", sweep_first)
    path = add_sample(folder, 1)
    assert swept
    assert names(folder) == {path.name}


def test_a_damaged_file_is_moved_and_can_still_be_looked_at(folder: Folder) -> None:
    path = add_sample(folder, 1)
    content = path.read_bytes()
    with path.open("rb") as file:
        target = folder.set_aside(path, file)
    assert target is not None
    assert target.read_bytes() == content
    assert folder.set_aside_files() == [(target, SIZE)]
    assert folder.files() == []


def test_a_good_entry_that_replaced_the_damaged_one_stays(folder: Folder) -> None:
    path = add_sample(folder, 1)
    path.write_bytes(b"damaged")
    with path.open("rb") as file:
        assert add_sample(folder, 1) == path
        assert folder.set_aside(path, file) is None
    assert damage(folder, folder.files()[0]) is None
    assert folder.set_aside_files() == []


def test_two_who_find_the_same_damage_move_it_once(folder: Folder) -> None:
    path = add_sample(folder, 1)
    with path.open("rb") as first, path.open("rb") as second:
        assert folder.set_aside(path, first)
        assert folder.set_aside(path, second) is None


def test_verify_finds_damage_and_entries_under_a_foreign_name(folder: Folder) -> None:
    whole, renamed, cut = (add_sample(folder, seed) for seed in (1, 2, 3))
    renamed.rename(folder.entry_path("0" * 64, 8))
    cut.write_bytes(cut.read_bytes()[:-1])
    found = {stored.path.name: damage(folder, stored) for stored in folder.files()}
    assert found.pop(whole.name) is None
    assert [reason and reason[1] and reason[1].exists() for reason in found.values()] == [True, True]
    assert [stored.path for stored in folder.files()] == [whole]


def test_a_reader_keeps_an_entry_that_another_removes(folder: Folder) -> None:
    path = add_sample(folder, 1)
    with path.open("rb") as file:
        folder.remove(path)
        assert check_entry(file).facts["label"] == "text 1.txt"


def test_writers_readers_and_sweepers_at_once_see_only_whole_entries(tmp_path: Path) -> None:
    problems: list[object] = []
    done = threading.Event()

    def write(first: int) -> None:
        for turn in range(15):
            add_sample(Folder(tmp_path, 10 * SIZE), (first + turn) % 5)

    def read() -> None:
        while not done.is_set():
            folder = Folder(tmp_path, 10 * SIZE)
            folder.sweep()
            problems.extend(found for stored in folder.files() if (found := damage(folder, stored)))

    writers = [threading.Thread(target=write, args=(first,)) for first in range(3)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert problems == []
    assert len(Folder(tmp_path, 0).files()) == 5
    assert not list(tmp_path.glob(".unfinished-*"))
