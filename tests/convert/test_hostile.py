"""Damaged and hostile checkpoints: converted or refused with one line, and nothing else happens.

Each round damages one file of a complete checkpoint. A conversion that is refused must leave
nothing behind, one that succeeds nothing but its target, and neither may take much time or memory.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from qwen2_mlx.errors import Qwen2Error
from tests.app.programs import run_process
from tests.checkpoints import DENSE, MOE, split_into_shards, write_checkpoint
from tests.convert.conversions import FOUR_BITS, contents, convert_folder
from tests.test_fuzz_loading import (
    UNLIKELY,
    any_place,
    dumps,
    header_length,
    peak_bytes,
    time_limit,
    with_value,
)

ROUNDS = 40
MOST_SECONDS = 30.0
MOST_BYTES = 300 * 2**20

INDEX = "model.safetensors.index.json"
SHARD = "model-00001-of-00002.safetensors"

#: Sizes and places that a header may claim.
ABSURD: list[Any] = [
    0, 1, -1, 2**31, 2**40, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 1e300, True, None, "8", [8], [],
]  # fmt: skip
NAMES = [
    "../out", "/tmp/out", "..", ".", "", "a/b", "a\\b", "a\0b", "x" * 5000, "config.json", "ü\n\x1b[31m",
]  # fmt: skip


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path / "inside" / "model", MOE)
    split_into_shards(folder)
    return folder


def survive(folder: Path, name: str, versions: Iterable[bytes]) -> int:
    """Converts with each of `versions` as the file `name`; returns how many conversions were refused."""
    refused, memory = 0, peak_bytes()
    target = folder.parent / "target"
    for number, version in enumerate(versions):
        (folder / name).write_bytes(version)
        before = contents(folder.parents[1])
        with time_limit(MOST_SECONDS):
            try:
                convert_folder(folder, target, FOUR_BITS)
            except Qwen2Error as error:
                reason = str(error)
            else:
                reason = None
        refused += reason is not None
        assert reason is None or len(reason.splitlines()) == 1, f"round {number}: {reason}"
        assert target.exists() == (reason is None), f"round {number}: {reason}"
        shutil.rmtree(target, ignore_errors=True)
        assert contents(folder.parents[1]) == before, f"round {number} wrote something"
    assert peak_bytes() - memory < MOST_BYTES
    return refused


def cut(whole: bytes, rng: Random) -> Iterator[bytes]:
    for _ in range(ROUNDS):
        yield whole[: rng.randrange(len(whole))]


def flipped(whole: bytes, rng: Random) -> Iterator[bytes]:
    reach = header_length(whole) if whole[8:9] == b"{" else len(whole)
    for _ in range(ROUNDS):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        yield bytes(damaged)


@pytest.mark.parametrize("damage", [cut, flipped])
@pytest.mark.parametrize("name", [SHARD, INDEX, "config.json"])
def test_cuts_and_flipped_bits_are_survived(
    name: str, damage: Callable[[bytes, Random], Iterator[bytes]], sharded: Path
) -> None:
    whole = (sharded / name).read_bytes()
    assert survive(sharded, name, damage(whole, Random(name))) > ROUNDS // 2


def test_absurd_sizes_in_a_header_are_survived(sharded: Path) -> None:
    whole, rng = (sharded / SHARD).read_bytes(), Random(5)
    length = header_length(whole)
    header = json.loads(whole[8:length])
    del header["__metadata__"]

    def absurd() -> Iterator[bytes]:
        for _ in range(2 * ROUNDS):
            name = rng.choice(list(header))
            key, value = rng.choice(["shape", "data_offsets"]), rng.choice(ABSURD)
            entry = {**header[name], key: list(header[name][key])}
            entry[key][rng.randrange(len(entry[key]))] = value
            text = dumps({**header, name: entry})
            yield struct.pack("<Q", len(text)) + text + whole[length:]

    assert survive(sharded, SHARD, absurd()) > ROUNDS


@pytest.mark.parametrize("length", [0, 1, 7, 2**20, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
def test_absurd_lengths_of_a_header_are_survived(length: int, sharded: Path) -> None:
    whole = (sharded / SHARD).read_bytes()
    assert survive(sharded, SHARD, [struct.pack("<Q", length) + whole[8:]]) == 1


def test_unlikely_values_in_an_index_are_survived(sharded: Path) -> None:
    index, rng = json.loads((sharded / INDEX).read_bytes()), Random(6)
    damaged = (with_value(index, any_place(rng, index), rng.choice(UNLIKELY)) for _ in range(2 * ROUNDS))
    assert survive(sharded, INDEX, map(dumps, damaged)) > ROUNDS


@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_an_index_leads_out_of_the_folder(name: str, sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_bytes())
    first = next(iter(index["weight_map"]))
    foreign = {**index["weight_map"], first: name}
    assert survive(sharded, INDEX, [dumps({"weight_map": foreign})]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_tensor_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "inside" / "model", DENSE)
    whole = (folder / "model.safetensors").read_bytes()
    length = header_length(whole)
    header = json.loads(whole[8:length])
    header[name] = header.pop("model.norm.weight")
    text = dumps(header)
    version = struct.pack("<Q", len(text)) + text + whole[length:]
    assert survive(folder, "model.safetensors", [version]) == 1


def test_a_config_of_absurd_sizes_is_survived(sharded: Path) -> None:
    config = json.loads((sharded / "config.json").read_bytes())
    sizes = [key for key, value in config.items() if type(value) is int]
    versions = [dumps({**config, key: value}) for key in sizes for value in (0, -1, 1, 2**20, 2**31, 2**64)]
    assert survive(sharded, "config.json", versions) > len(versions) // 2


@pytest.mark.parametrize("link", ["model.safetensors", "config.json"])
def test_a_work_folder_full_of_links_is_not_followed(link: str, checkpoint: Path, tmp_path: Path) -> None:
    """Somebody else who may write beside the target must not lead the converter elsewhere."""
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    work = tmp_path / ".out.converting" / "model"
    work.mkdir(parents=True)
    (work / link).symlink_to(precious)
    convert_folder(checkpoint, tmp_path / "out")
    assert precious.read_text() == "keep me"
    assert not (tmp_path / "out" / link).is_symlink()


def test_a_journal_that_is_a_link_to_nothing_makes_no_file_elsewhere(
    checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / ".out.converting").mkdir()
    (tmp_path / ".out.converting" / "journal").symlink_to(tmp_path / "elsewhere")
    convert_folder(checkpoint, tmp_path / "out")
    assert not (tmp_path / "elsewhere").exists()


def test_a_target_that_is_a_link_to_itself_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    with pytest.raises(Qwen2Error, match="leads to itself"):
        convert_folder(checkpoint, tmp_path / "out")


def test_a_work_folder_that_is_a_link_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "precious" / "model").mkdir(parents=True)
    (tmp_path / "precious" / "model" / "diary.txt").write_text("keep me")
    (tmp_path / ".out.converting").symlink_to(tmp_path / "precious")
    with pytest.raises(Qwen2Error, match="is a link"):
        convert_folder(checkpoint, tmp_path / "out")
    assert contents(tmp_path / "precious") == {"model/diary.txt": b"keep me"}


def test_what_somebody_else_put_into_a_work_folder_stays(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.converting").mkdir()
    (tmp_path / ".out.converting" / "diary.txt").write_text("keep me")
    convert_folder(checkpoint, tmp_path / "out")
    assert contents(tmp_path / ".out.converting") == {"diary.txt": b"keep me"}


def test_a_damaged_header_is_one_line_of_the_program(sharded: Path) -> None:
    whole = (sharded / SHARD).read_bytes()
    for version in (whole[:-7], struct.pack("<Q", 2**62) + whole[8:], b"", b"\xff" * 100):
        (sharded / SHARD).write_bytes(version)
        outcome = run_process(
            "qwen2-convert", "--hf-path", sharded, "--mlx-path", sharded.parent / "out", env=os.environ
        )
        outcome.assert_one_line(1, SHARD, "damaged or cut short")
        assert [path.name for path in sharded.parent.iterdir()] == ["model"]
