"""A conversion that cannot be done says so in one line, and loses and leaves nothing."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from convert import writer
from tests.app.programs import ROOT, Run, run_process

CONVERT = "qwen2-convert"

#: Every file below a folder, with its bytes.
Snapshot = dict[str, bytes]


def snapshot(folder: Path) -> Snapshot:
    """Everything below `folder`; folders, hidden ones included, end in a slash and hold nothing."""
    return {
        str(path.relative_to(folder)) + "/" * path.is_dir(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def before(checkpoint: Path) -> Snapshot:
    """The folder around the source checkpoint, as a failed conversion must leave it."""
    return snapshot(checkpoint.parent)


def test_a_target_that_exists_is_left_alone(checkpoint: Path, run: Run) -> None:
    target = checkpoint.parent / "mine"
    (target / "deep").mkdir(parents=True)
    (target / "deep" / "novel.txt").write_text("Chapter one")
    before = snapshot(checkpoint.parent)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target)
    outcome.assert_one_line(1, "mine exists already", "remove it or choose another")
    assert snapshot(checkpoint.parent) == before


def test_a_target_that_is_a_file_is_left_alone(checkpoint: Path, run: Run) -> None:
    target = checkpoint.parent / "novel.txt"
    target.write_text("Chapter one")
    before = snapshot(checkpoint.parent)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target)
    outcome.assert_one_line(1, "novel.txt exists already")
    assert snapshot(checkpoint.parent) == before


def test_a_source_is_not_converted_onto_itself(checkpoint: Path, run: Run, before: Snapshot) -> None:
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint)
    outcome.assert_one_line(1, "exists already")
    assert snapshot(checkpoint.parent) == before


def test_a_target_below_a_file_is_one_line(checkpoint: Path, run: Run, before: Snapshot) -> None:
    target = checkpoint / "config.json" / "out"
    run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target).assert_one_line(1, "out cannot be written")
    assert snapshot(checkpoint.parent) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_in_a_read_only_folder_is_one_line(checkpoint: Path, run: Run) -> None:
    parent = checkpoint.parent / "locked"
    parent.mkdir(mode=0o555)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", parent / "out")
    outcome.assert_one_line(1, "out cannot be written", "Permission denied")


def test_a_quantised_source_is_one_line(checkpoint: Path, run: Run) -> None:
    quantised = checkpoint.parent / "quantised"
    made = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", quantised, "-q", "--q-group-size", 32)
    assert made.code == 0, made.err
    before = snapshot(checkpoint.parent)
    outcome = run(CONVERT, "--hf-path", quantised, "--mlx-path", checkpoint.parent / "again")
    outcome.assert_one_line(1, "quantised already", "convert its floating-point original")
    assert snapshot(checkpoint.parent) == before


def test_a_damaged_source_leaves_no_target(checkpoint: Path, run: Run) -> None:
    data = (checkpoint / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").write_bytes(data[:-100])
    before = snapshot(checkpoint.parent)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "a" / "b")
    outcome.assert_one_line(1, "model.safetensors is damaged or cut short")
    assert snapshot(checkpoint.parent) == before


def test_a_full_disk_while_weights_are_written_leaves_nothing(checkpoint: Path, before: Snapshot) -> None:
    """A limit on the size of files stands for the disk: the write itself fails."""
    pytest.importorskip("resource")
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    target = checkpoint.parent / "a" / "b"
    outcome = run_process(
        CONVERT, "--hf-path", checkpoint, "--mlx-path", target, env=os.environ, prelude=full
    )
    outcome.assert_one_line(1, "model.safetensors cannot be written", "free space")
    assert snapshot(checkpoint.parent) == before


def no_space(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["write_weights", "write_json", "copy_companions"])
def test_a_full_disk_at_any_step_leaves_nothing(
    checkpoint: Path, run: Run, before: Snapshot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(f"convert.hugging_face.{step}", no_space)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out")
    *progress, message = outcome.err.splitlines()
    assert (outcome.code, outcome.out) == (1, "")
    assert "out cannot be written: No space left" in message
    assert all("wrote file" in line for line in progress)
    assert snapshot(checkpoint.parent) == before


@pytest.mark.parametrize("step", ["write_weights", "write_json", "copy_companions"])
def test_an_interruption_at_any_step_leaves_nothing(
    checkpoint: Path, run: Run, before: Snapshot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(f"convert.hugging_face.{step}", interrupt)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "a" / "b")
    assert (outcome.code, outcome.out) == (130, "")
    assert "Traceback" not in outcome.err
    assert snapshot(checkpoint.parent) == before


def test_an_interruption_between_two_shards_leaves_nothing(
    checkpoint: Path, run: Run, before: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_after_two(number: int, _total: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(writer, "SHARD_BYTES", 10_000)
    monkeypatch.setattr("app.convert_command._show_shard", interrupt_after_two)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")
    assert snapshot(checkpoint.parent) == before


def test_ctrl_c_in_a_real_process_leaves_nothing(checkpoint: Path, before: Snapshot) -> None:
    pausing = (
        "import sys, time\n"
        "from app import convert_command\n"
        "def pause(number, total): print('paused', file=sys.stderr, flush=True); time.sleep(60)\n"
        "convert_command._show_shard = pause\n"
        "sys.exit(convert_command.main())"
    )
    target = checkpoint.parent / "out"
    with subprocess.Popen(
        [sys.executable, "-c", pausing, "--hf-path", checkpoint, "--mlx-path", target],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "paused\n"
        assert any(".partial-" in name for name in snapshot(checkpoint.parent))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")
    assert snapshot(checkpoint.parent) == before


def test_an_empty_target_folder_survives_a_failure(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkpoint.parent / "out").mkdir()
    before = snapshot(checkpoint.parent)
    monkeypatch.setattr("convert.hugging_face.write_json", no_space)
    assert run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out").code == 1
    assert snapshot(checkpoint.parent) == before


def test_a_conversion_leaves_its_source_alone_and_nothing_beside_its_target(
    checkpoint: Path, run: Run
) -> None:
    source = snapshot(checkpoint)
    made = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "a" / "b")
    assert made.code == 0, made.err
    assert snapshot(checkpoint) == source
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["a", checkpoint.name]
    assert [path.name for path in (checkpoint.parent / "a").iterdir()] == ["b"]
    assert (checkpoint.parent / "a" / "b" / "config.json").is_file()


def test_the_empty_folder_one_stands_in_can_be_the_target(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = checkpoint.parent / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    made = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", ".")
    assert made.code == 0, made.err
    assert (here / "config.json").is_file()
