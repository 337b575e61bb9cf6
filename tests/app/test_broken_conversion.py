"""A conversion that cannot be done says so in one line, and loses and leaves nothing.

One that is interrupted leaves its work folder, from which the same command goes on.
"""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from app.convert import progress
from convert import conversion, plan
from tests.app.programs import ROOT, Run, run_process

CONVERT = "qwen2-convert"
INTERRUPTED = "qwen2-convert: interrupted; the same command goes on from here\n"

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


STEPS = ["stream", "write_json", "write_companions"]


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_at_any_step_leaves_nothing(
    checkpoint: Path, run: Run, before: Snapshot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(conversion, step, no_space)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out")
    outcome.assert_one_line(1, "out cannot be written: No space left")
    assert snapshot(checkpoint.parent) == before


def test_a_full_disk_after_much_was_written_keeps_it(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = checkpoint.parent / "out"
    with monkeypatch.context() as broken:
        broken.setattr(conversion, "WORTH_KEEPING", 1000)
        broken.setattr(conversion, "write_json", no_space)
        outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target)
    outcome.assert_one_line(1, "No space left", "the same command goes on from here")
    assert_goes_on(checkpoint, target, run)


@pytest.mark.parametrize("step", STEPS)
def test_an_interruption_at_any_step_leaves_what_the_same_command_goes_on_from(
    checkpoint: Path, run: Run, before: Snapshot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = checkpoint.parent / "a" / "b"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(conversion, step, interrupt)
        outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == INTERRUPTED
    assert not target.exists()
    assert {name: held for name, held in snapshot(checkpoint.parent).items() if name in before} == before
    assert_goes_on(checkpoint, target, run)


def test_an_interruption_between_two_shards_leaves_what_the_same_command_goes_on_from(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def interrupt_after_two(_: object, size: int) -> None:
        sizes.append(size)
        if len(sizes) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(plan, "SHARD_BYTES", 10_000)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(progress.Progress, "done", interrupt_after_two)
        outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", INTERRUPTED)
    assert_goes_on(checkpoint, checkpoint.parent / "out", run)


def test_ctrl_c_in_a_real_process_leaves_what_the_same_command_goes_on_from(
    checkpoint: Path, run: Run
) -> None:
    pausing = (
        "import sys, time\n"
        "from app.convert import command, progress\n"
        "def pause(self, size):\n"
        "    print('paused', file=sys.stderr, flush=True)\n"
        "    for _ in range(600): time.sleep(0.1)\n"  # a signal just before a sleep does not end it
        "progress.Progress.done = pause\n"
        "sys.exit(command.main())"
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
        assert any(".out.converting" in name for name in snapshot(checkpoint.parent))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", INTERRUPTED)
    assert_goes_on(checkpoint, target, run)


def assert_goes_on(checkpoint: Path, target: Path, run: Run) -> None:
    """Only the work folder is there, and the command that was interrupted finishes from it."""
    assert sorted(path.name for path in target.parent.iterdir() if path != checkpoint) == [
        f".{target.name}.converting"
    ]
    assert run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target).code == 0
    whole = checkpoint.parent / "at once" / target.name  # the card says what the folder is called
    assert run(CONVERT, "--hf-path", checkpoint, "--mlx-path", whole).code == 0
    assert snapshot(target) == snapshot(whole)
    assert not list(target.parent.glob(".*"))


def test_an_empty_target_folder_survives_a_failure(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkpoint.parent / "out").mkdir()
    before = snapshot(checkpoint.parent)
    monkeypatch.setattr(conversion, "write_json", no_space)
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
