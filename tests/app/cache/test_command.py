"""qwen2-cache from the command line to the exit code."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from app.cache import command
from app.cache.progress import Progress
from qwen2_mlx.prefix_store.folder import Folder, default_folder
from tests.app.programs import Run
from tests.qwen2_mlx.prefix_store.samples import add_sample, sample


@pytest.fixture
def folder() -> Folder:
    """The user's own folder with two entries, the second used last."""
    folder = default_folder()
    os.utime(add_sample(folder, 1), (1e9, 1e9))
    add_sample(folder, 2, tokens=9)
    return folder


def damage(folder: Folder, seed: int = 1) -> Path:
    path = folder.entry_path(sample(seed)[0], 8)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    return path


def test_list_shows_what_is_kept_the_last_used_first(run: Run, folder: Folder) -> None:
    done = run("qwen2-cache", "list")
    head, first, second, summary = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert head.split()[:3] == ["KEY", "TOKENS", "SIZE"]
    assert first.split()[:2] == [sample(2, 9)[0][:12], "9"]
    assert first.endswith("text 2.txt")
    assert second.endswith("text 1.txt")
    assert summary.startswith("2 processed texts, ")
    assert summary.endswith(f"of at most 20.0 GiB, in {folder.path}")


def test_an_empty_list_is_one_line_and_makes_no_folder(run: Run) -> None:
    done = run("qwen2-cache", "list")
    assert done.out.startswith("0 processed texts, 0 B")
    assert not default_folder().path.exists()


def test_json_is_for_programs(run: Run, folder: Folder) -> None:
    entries = json.loads(run("qwen2-cache", "list", "--json").out)
    assert [entry["label"] for entry in entries] == ["text 2.txt", "text 1.txt"]
    assert entries[1] == {
        "key": sample(1)[0],
        "label": "text 1.txt",
        "model": "tiny",
        "tokens": 8,
        "bytes": folder.files()[1].size,
        "created": None,
        "used": "2001-09-09T01:46:40+00:00",
        "readable": True,
        "computed": {"weights": "weights 1"},
    }
    assert json.loads(run("qwen2-cache", "show", sample(1)[0], "--json").out) == entries[1]


def test_show_takes_the_first_digits_of_a_key(run: Run, folder: Folder) -> None:
    done = run("qwen2-cache", "show", sample(1)[0][:6].upper())
    assert done.code == 0
    facts = dict(line.split(maxsplit=1) for line in done.out.splitlines() if len(line.split()) == 2)
    assert facts["key"] == sample(1)[0]
    assert facts["file"] == str(folder.entry_path(sample(1)[0], 8))


def test_a_label_cannot_write_to_the_terminal(run: Run) -> None:
    folder = default_folder()
    key, header, data = sample(3)
    folder.add(key, 8, type(header)({**header.facts, "label": "a\x1b[2J\nb"}, header.tensors), data)
    for action in (["list"], ["show", key]):
        out = run("qwen2-cache", *action).out
        assert "\x1b" not in out
        assert "a[2J b" in out


def test_verify_sets_damage_aside_and_returns_1(run: Run, folder: Folder) -> None:
    assert run("qwen2-cache", "verify").out == "2 of 2 entries are whole\n"
    path = damage(folder)
    done = run("qwen2-cache", "verify")
    assert done.code == 1
    first, last = done.out.splitlines()
    assert first.startswith(f"{path.name[:64]} is damaged (its checksum does not agree) and was moved to ")
    assert Path(first.rpartition(" moved to ")[2]).is_file()
    assert last == "1 of 2 entries are whole"
    assert [stored.tokens for stored in folder.files()] == [9]
    assert run("qwen2-cache", "verify").code == 0
    assert "1 damaged, " in run("qwen2-cache", "list").out


def test_verify_tells_programs_what_was_damaged(run: Run, folder: Folder) -> None:
    path = damage(folder)
    done = run("qwen2-cache", "verify", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert report["checked"] == 2
    assert [one["key"] for one in report["damaged"]] == [path.name[:64]]


def test_an_unreadable_header_is_listed_and_left_to_verify(run: Run, folder: Folder) -> None:
    path = folder.entry_path(sample(1)[0], 8)
    path.write_bytes(b"not an entry")
    assert "run: qwen2-cache verify" in run("qwen2-cache", "list").out
    assert json.loads(run("qwen2-cache", "list", "--json").out)[0]["readable"] is False
    assert "damaged" in run("qwen2-cache", "show", sample(1)[0]).out
    assert path.exists()


def test_remove_removes_what_it_is_given_and_nothing_else(run: Run, folder: Folder) -> None:
    done = run("qwen2-cache", "remove", sample(1)[0][:8])
    assert (done.code, done.out) == (0, f"removed {sample(1)[0][:12]} text 1.txt\n")
    assert [stored.tokens for stored in folder.files()] == [9]


def test_keys_that_name_nothing_or_several_remove_nothing(run: Run, folder: Folder) -> None:
    copy = folder.entry_path(sample(1)[0], 8).read_bytes()
    (folder.path / f"{sample(1)[0][:-1]}0-8.safetensors").write_bytes(copy)
    shared = sample(1)[0][:40]
    run("qwen2-cache", "remove", shared).assert_one_line(1, "2 keys begin with", shared)
    run("qwen2-cache", "remove", sample(2, 9)[0], "zz").assert_one_line(1, "no stored text", "'zz'")
    assert len(folder.files()) == 3


def test_clear_removes_everything_of_ours(run: Run, folder: Folder) -> None:
    damage(folder)
    run("qwen2-cache", "verify")
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / ".unfinished-1").write_text("left by a killed program")
    done = run("qwen2-cache", "clear", "--yes")
    assert done.code == 0
    assert done.out.startswith("removed 2 files, ")
    assert [path.name for path in folder.path.rglob("*") if path.is_file()] == ["notes.txt"]


def test_clear_off_a_terminal_needs_yes(run: Run, folder: Folder) -> None:
    run("qwen2-cache", "clear").assert_one_line(2, "2 files", "--yes")
    assert len(folder.files()) == 2


@pytest.mark.parametrize(("reply", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 2), ("\n", 1, 2), ("", 1, 2)])
def test_clear_on_a_terminal_asks(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, reply: str, code: int, left: int
) -> None:
    terminal = io.StringIO(reply)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    assert command.main(["clear"]) == code
    assert len(folder.files()) == left


def test_a_folder_that_cannot_be_read_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prefixes").write_text("no folder")
    monkeypatch.setenv("QWEN2_MLX_CACHE_DIR", str(tmp_path))
    run("qwen2-cache", "list").assert_one_line(1, "prefixes")


def test_progress_is_shown_with_an_estimate_and_wiped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 0.1, 10.0])
    monkeypatch.setattr("app.cache.progress.time.monotonic", lambda: next(now))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("qwen2-cache", 4 * 2**30) as progress:
        progress.add(2**29)
        progress.add(2**29)
    shown = capsys.readouterr().err
    assert shown.startswith("\rqwen2-cache: 1.0 GiB of 4.0 GiB, 30 s left")
    assert shown.endswith(" \r")
