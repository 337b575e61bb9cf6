"""A conversion may end at any moment: what it wrote is taken up, checked, and never written twice."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import mlx.core as mx
import pytest

from convert import conversion, plan, stream, unit
from convert.conversion import Events
from convert.journal import NAME
from convert.work_folder import path_of
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.errors import Qwen2Error
from tests.checkpoints import MOE, edit_json, split_into_shards, write_checkpoint
from tests.convert.conversions import EIGHT_BITS, FOUR_BITS, contents, convert_folder
from tests.convert.killing import converter

KILLS, MANY_KILLS = 8, 100


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path / "source", MOE)
    split_into_shards(folder)
    return folder


@pytest.fixture
def whole(source: Path, tmp_path: Path) -> dict[str, bytes]:
    """What a conversion without interruption writes."""
    convert_folder(source, tmp_path / "whole", FOUR_BITS)
    return contents(tmp_path / "whole")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit is recorded as soon as it is finished, and takes several pieces."""
    monkeypatch.setattr(stream, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(unit, "CHUNK_BYTES", 2048)


def interrupt_after(count: int) -> Events:
    """Ctrl-C when so many units are finished."""
    left = iter(range(count - 1, -1, -1))

    def done(_: int) -> None:
        if next(left) == 0:
            raise KeyboardInterrupt

    return Events(done=done)


def interrupted(source: Path, target: Path, count: int, recipe: Recipe = FOUR_BITS) -> Path:
    """The work folder of a conversion that was interrupted after `count` units."""
    with pytest.raises(KeyboardInterrupt):
        convert_folder(source, target, recipe, interrupt_after(count))
    assert not target.exists()
    return path_of(target)


@pytest.fixture
def produced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the units that are produced from here on."""
    names: list[str] = []

    def recording(kind: Any) -> None:
        original = kind.produce

        def produce(self: Any) -> Iterator[tuple[str, memoryview]]:
            names.append(self.name)
            return original(self)

        monkeypatch.setattr(kind, "produce", produce)

    for kind in (unit.FloatRows, unit.QuantizedRows):
        recording(kind)
    return names


def recorded(work: Path) -> list[str]:
    return [json.loads(line)["unit"] for line in (work / NAME).read_text().splitlines()[1:]]


@pytest.mark.usefixtures("often")
def test_the_size_of_the_pieces_changes_no_byte(
    source: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (1, 999, 2**20):
        monkeypatch.setattr(unit, "CHUNK_BYTES", size)
        convert_folder(source, tmp_path / f"target-{size}", FOUR_BITS)
        assert contents(tmp_path / f"target-{size}") == whole


def test_a_killed_conversion_resumes_byte_identical(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    kill_and_resume(source, tmp_path / "target", whole, KILLS)


@pytest.mark.slow
def test_a_hundred_kills_change_no_byte(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    kill_and_resume(source, tmp_path / "target", whole, MANY_KILLS)


def kill_and_resume(source: Path, target: Path, whole: dict[str, bytes], kills: int) -> None:
    """Kills conversions at `kills` moments, takes each up until it is done, and compares the result."""
    rng = Random(7)
    with converter() as process:
        assert process.run(source, target)
        began = time.monotonic()
        shutil.rmtree(target)
        assert process.run(source, target)
        duration = time.monotonic() - began
        killed = 0
        while killed < kills:
            if target.exists():
                assert contents(target) == whole
                shutil.rmtree(target)
            killed += not process.run(source, target, rng.uniform(0, duration))
        if not target.exists():
            assert process.run(source, target)
    assert contents(target) == whole
    assert not path_of(target).exists()


@pytest.mark.usefixtures("often")
def test_finished_units_are_not_produced_again(
    source: Path, tmp_path: Path, whole: dict[str, bytes], produced: list[str]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    finished = recorded(work)
    assert len(finished) >= 19
    produced.clear()
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert produced
    assert not set(produced) & set(finished)
    assert contents(tmp_path / "target") == whole


@pytest.mark.usefixtures("often")
def test_bytes_of_earlier_runs_are_counted_apart(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "target", 20)
    found: list[int] = []
    done: list[int] = []
    made = convert_folder(
        source, tmp_path / "target", FOUR_BITS, Events(found=found.append, done=done.append)
    )
    assert found
    assert done
    assert sum(found) + sum(done) == made.weight_bytes


@pytest.mark.usefixtures("often")
def test_a_finished_unit_whose_bytes_changed_is_produced_again(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    file = work / "model" / "model.safetensors"
    data = bytearray(file.read_bytes())
    for place in range(8, len(data), 97):  # the header is among what is damaged
        data[place] ^= 0xFF
    file.write_bytes(data)
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("cut", [1, 40, 200, 1500])
def test_a_journal_that_was_cut_off_is_taken_up_as_far_as_it_goes(
    cut: int, source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    before = recorded(work)
    with (work / NAME).open("r+b") as journal:
        journal.truncate(max(0, (work / NAME).stat().st_size - cut))
    with pytest.raises(KeyboardInterrupt):
        convert_folder(source, tmp_path / "target", FOUR_BITS, interrupt_after(3))
    after = recorded(work)
    assert len(set(after) & set(before)) >= len(before) - 2 - cut // 100
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


@pytest.mark.usefixtures("often")
def test_a_journal_with_a_tail_of_junk_is_taken_up_before_it(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    before = recorded(work)
    with (work / NAME).open("ab") as journal:
        journal.write(b'{"unit": "' + b"x" * 50_000 + b"\n" + b"\0" * 500)
    with pytest.raises(KeyboardInterrupt):
        convert_folder(source, tmp_path / "target", FOUR_BITS, interrupt_after(3))
    assert recorded(work)[: len(before)] == before
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "junk", [b"", b"\0" * 500, b"[]\n", b'{"conversion": 3}\n', b"[" * 99999 + b"\n", b"\xff\n"]
)
def test_a_journal_of_junk_is_begun_anew(
    junk: bytes, source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    (work / NAME).write_bytes(junk)
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


def change_source(folder: Path) -> None:
    shutil.rmtree(folder)
    split_into_shards(write_checkpoint(folder, MOE, seed=1))


def change_config(folder: Path) -> None:
    edit_json(folder / "config.json", rope_theta=3.0)


def change_nothing(_: Path) -> None:
    pass


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    ("change", "recipe"),
    [
        (change_source, FOUR_BITS),
        (change_config, FOUR_BITS),
        (change_nothing, EIGHT_BITS),
        (change_nothing, Recipe(format=Format(4, 32), method="round")),
        (change_nothing, Recipe("float16", Format(4, 32))),
        (change_nothing, Recipe()),
    ],
    ids=["weights", "config", "bits", "method", "type", "floats"],
)
def test_a_changed_source_or_recipe_begins_anew(
    change: Callable[[Path], None], recipe: Recipe, source: Path, tmp_path: Path, produced: list[str]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    (work / "model" / "stale.txt").write_text("of the first conversion")
    change(source)
    restarted: list[bool] = []
    produced.clear()
    events = Events(restarted=lambda: restarted.append(True))
    made = convert_folder(source, tmp_path / "target", recipe, events)
    assert len(produced) == len(made.units)
    assert restarted
    convert_folder(source, tmp_path / "afresh", recipe)
    assert contents(tmp_path / "target") == contents(tmp_path / "afresh")


def test_companions_of_an_earlier_run_do_not_stay(source: Path, tmp_path: Path) -> None:
    (source / "LICENSE").write_text("terms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion.WorkFolder, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert (path_of(tmp_path / "target") / "model" / "LICENSE").exists()
    (source / "LICENSE").unlink()
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert not (tmp_path / "target" / "LICENSE").exists()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_between_the_name_and_the_cleaning_up_counts_as_done(
    source: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = conversion.WorkFolder.finish

    def finish_and_stop(self: conversion.WorkFolder) -> None:
        finish(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion.WorkFolder, "finish", finish_and_stop)
        with pytest.raises(KeyboardInterrupt):
            convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert path_of(tmp_path / "target").exists()
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole
    assert not path_of(tmp_path / "target").exists()


def test_two_conversions_to_one_target_do_not_meet(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    held = contents(work)
    with (work / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Qwen2Error, match=r"another conversion to .*target is at work"):
            convert_folder(source, tmp_path / "target", EIGHT_BITS)
    assert contents(work) == held
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


def test_conversions_side_by_side_leave_one_whole_target(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    with converter() as one, converter() as two:
        for process in (one, two):
            process.start(source, tmp_path / "target")
        assert 0 in {one.code(), two.code()}
    assert contents(tmp_path / "target") == whole
    assert not path_of(tmp_path / "target").exists()


def test_a_disk_without_space_is_noticed_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    monkeypatch.setattr(os, "pwrite", interrupt)
    with pytest.raises(Qwen2Error, match=r"needs .* more, the disk has 50 kB free"):
        convert_folder(source, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("recipe", [FOUR_BITS, EIGHT_BITS], ids=["same", "another"])
def test_a_conversion_that_a_full_disk_keeps_from_beginning_costs_no_finished_work(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    held = contents(work)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=-(10**9)))
    with pytest.raises(Qwen2Error, match="needs"):
        convert_folder(source, tmp_path / "target", recipe)
    assert contents(work) == held


def test_companions_that_cannot_be_taken_are_told_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "terms").write_text("of somebody else")
    (source / "LICENSE").symlink_to(tmp_path / "terms")
    monkeypatch.setattr(os, "pwrite", None)
    with pytest.raises(Qwen2Error, match="outside its folder"):
        convert_folder(source, tmp_path / "target")


def test_a_disk_that_takes_a_part_of_each_write_gets_the_rest(
    source: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, piece, offset: pwrite(file, piece[:1000], offset))
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


@pytest.mark.usefixtures("often")
def test_a_journal_that_names_an_unknown_tensor_is_taken_up(
    source: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    work = interrupted(source, tmp_path / "target", 20)
    with (work / NAME).open("a") as journal:
        journal.write(json.dumps({"unit": "damaged", "sha256": {"damaged": "0"}}) + "\n")
    convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert contents(tmp_path / "target") == whole


def test_the_root_of_a_disk_is_no_target(source: Path) -> None:
    with pytest.raises(Qwen2Error, match="root of a disk"):
        convert_folder(source, Path("/"))


def test_what_is_written_already_needs_no_space(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SYNC_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(conversion.WorkFolder, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert_folder(source, tmp_path / "target")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=20_000))
    convert_folder(source, tmp_path / "target")
    assert (tmp_path / "target" / "config.json").exists()


def test_a_failure_in_a_thread_ends_the_conversion_with_its_message(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Iterator[tuple[str, memoryview]]:
        raise Qwen2Error("the disk with the source was taken away")
        yield

    monkeypatch.setattr(unit.FloatRows, "produce", fail)
    with pytest.raises(Qwen2Error, match="taken away"):
        convert_folder(source, tmp_path / "target")
    assert not path_of(tmp_path / "target").exists()


@pytest.mark.parametrize("size", [-4, 4])
def test_a_unit_of_another_length_than_planned_is_never_written_as_finished(
    size: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def produce(self: unit.FloatRows) -> Iterator[tuple[str, memoryview]]:
        yield self.name, memoryview(bytes(unit.output_bytes(self.outputs[self.name]) + size))

    monkeypatch.setattr(unit.FloatRows, "produce", produce)
    with pytest.raises(ValueError, match="the plan"):
        convert_folder(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(("value", "dtype"), [(1e5, mx.float32), (65536, mx.bfloat16), (-65536, mx.bfloat16)])
def test_values_beyond_float16_are_an_error_rather_than_infinity(
    value: float, dtype: mx.Dtype, tmp_path: Path
) -> None:
    large = write_checkpoint(tmp_path / "large")
    tensors = mx.load(str(large / "model.safetensors"))
    assert isinstance(tensors, dict)
    tensors["model.norm.weight"] = mx.full((32,), value, dtype)
    mx.save_safetensors(str(large / "model.safetensors"), tensors)
    with pytest.raises(Qwen2Error, match=r"model\.norm\.weight has values beyond .* use --dtype bfloat16"):
        convert_folder(large, tmp_path / "target", Recipe("float16"))


def test_a_large_unit_is_spread_over_files_and_a_small_one_never(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SHARD_BYTES", 4_000)
    made = convert_folder(source, tmp_path / "target", FOUR_BITS)
    assert len(made.headers) > 5
    for planned in made.units:
        sizes = [made.places[name].nbytes for name in planned.outputs]
        files = {made.places[name].file for name in planned.outputs}
        assert len(files) == 1 or sum(sizes) > 4_000
    for file, size in made.file_bytes().items():
        held = [place for place in made.places.values() if place.file == file]
        assert size - len(made.headers[file]) <= 4_000 or len(held) == 1
