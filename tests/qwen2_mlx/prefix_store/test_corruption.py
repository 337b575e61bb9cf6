"""Whatever happens to a stored file: the right keys and values, no crash, no other entry lost."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.generate import prefill
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.entry import Header, Tensor, read_entry, read_header, write_entry
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.reuse import PrefixStore
from qwen2_mlx.prefix_store.verify import damage
from tests.checkpoints import write_checkpoint
from tests.qwen2_mlx.prefix_store.bits import bits

STEP = 16
KEPT = list(range(40))
DAMAGED = [*KEPT[:STEP], *range(100, 124)]  # shares one step with the other
CORRUPTIONS = 200
CHECKSUM = Tensor("checksum", "U8", (32,))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(str(write_checkpoint(tmp_path_factory.mktemp("model"))))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "prefixes", 2**30)


def through(
    folder: Folder, model: Model, ids: Sequence[int]
) -> tuple[int, list[dict[str, bytes]], list[str]]:
    """Tokens reused, the bits of the cache, and the messages of a store in a new process."""
    messages: list[str] = []
    cache = model.make_cache()
    store = PrefixStore(model, folder, prefill_step=STEP, notify=messages.append)
    return store.prefill(ids, cache, len(ids) + 1), bits(cache), messages


def cold(model: Model, ids: Sequence[int]) -> list[dict[str, bytes]]:
    cache = model.make_cache()
    prefill(model, mx.array(list(ids)), cache, prefill_step=STEP)
    return bits(cache)


def corrupt(rng: Random, data: bytes, other: bytes) -> bytes:
    """`data`, damaged in one of the ways in which disks, programs and people do it."""
    header = 8 + int.from_bytes(data[:8], "little")
    at, length = rng.randrange(len(data)), rng.randrange(1, 200)
    place = rng.randrange(8, header)
    digit = rng.choice([i for i in range(8, header) if chr(data[i]).isdigit()])
    return rng.choice(
        [
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :],
            data[:digit] + str(9 - int(chr(data[digit]))).encode() + data[digit + 1 :],
            data[:place] + rng.randbytes(length) + data[place + length :],
            data[:at],
            data + rng.randbytes(length),
            data[:at] + bytes(length) + data[at + length :],
            data[:at] + data[at + length :],
            data[:place] + data[place + length :],
            rng.randbytes(8) + data[8:],
            rng.randrange(4 * len(data)).to_bytes(8, "little") + data[8:],
            rng.randbytes(len(data)),
            other,
            b"",
        ]
    )


def test_two_hundred_random_corruptions_change_no_bit_and_lose_no_entry(model: Model, folder: Folder) -> None:
    expected = cold(model, DAMAGED)
    through(folder, model, KEPT)
    (kept,) = (stored.path for stored in folder.files())
    through(folder, model, DAMAGED)
    (path,) = (stored.path for stored in folder.files() if stored.path != kept)
    whole, other = path.read_bytes(), kept.read_bytes()
    for seed in range(CORRUPTIONS):
        path.write_bytes(corrupt(Random(seed), whole, other))
        if path.read_bytes() == whole:
            continue
        reused, found, messages = through(folder, model, DAMAGED)
        assert reused == STEP, seed  # from the entry that was not touched
        assert found == expected, seed
        assert len(messages) == 1, seed
        assert "was moved to" in messages[0]
        assert kept.read_bytes() == other
        assert [damage(folder, stored) for stored in folder.files()] == [None, None], seed
    assert through(folder, model, DAMAGED) == (len(DAMAGED), expected, [])
    assert len(folder.set_aside_files()) > 0.95 * CORRUPTIONS


def rename(name: str) -> Callable[[Header], Header]:
    return lambda header: replace(
        header, tensors=(*header.tensors[:-1], replace(header.tensors[-1], name=name))
    )


def reshape(*order: int) -> Callable[[Header], Header]:
    def change(header: Header) -> Header:
        last = header.tensors[-1]
        return replace(
            header, tensors=(*header.tensors[:-1], replace(last, shape=tuple(last.shape[i] for i in order)))
        )

    return change


def retype(header: Header) -> Header:
    return replace(header, tensors=(*header.tensors[:-1], replace(header.tensors[-1], dtype="U32")))


def other_weights(header: Header) -> Header:
    return replace(header, facts={**header.facts, "computed.weights": "others"})


def fewer_facts(header: Header) -> Header:
    return replace(header, facts={})


@pytest.mark.parametrize(
    "change",
    [retype, reshape(0, 2, 1, 3), reshape(3, 2, 1, 0), rename("9.values"), rename("1.more"), rename("values"),
     rename("x.values"), other_weights, fewer_facts],
)  # fmt: skip
def test_a_forged_file_with_a_right_checksum_is_not_taken_for_the_models_own(
    model: Model, folder: Folder, change: Callable[[Header], Header]
) -> None:
    through(folder, model, KEPT)
    path = folder.files()[0].path
    forge(path, change)
    reused, found, messages = through(folder, model, KEPT)
    assert (reused, len(messages)) == (0, 1)
    assert found == cold(model, KEPT)


def test_a_header_that_promises_gigabytes_reserves_none(model: Model, folder: Folder) -> None:
    """The file is as long as it says: a hole in it costs nothing on the disk."""
    through(folder, model, KEPT)
    path = folder.files()[0].path
    with path.open("rb") as file:
        header = read_header(file)
    at = 0
    described: dict[str, Any] = {"__metadata__": header.facts}
    tensors = [*header.tensors, *(Tensor(f"2.{i}", "F32", (2**30,)) for i in range(9)), CHECKSUM]
    for tensor in tensors:
        place = [at, at := at + tensor.nbytes]
        described[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": place}
    text = json.dumps(described).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + at)
    assert path.stat().st_size > 9 * 2**32
    reused, found, messages = through(folder, model, KEPT)
    assert (reused, len(messages)) == (0, 1)
    assert found == cold(model, KEPT)


def forge(path: Path, change: Callable[[Header], Header]) -> None:
    """Rewrites an entry with a changed header and the checksum that belongs to it."""
    data: list[bytearray] = []
    with path.open("rb") as file:
        header = read_entry(file, lambda _, part: data.append(part))
    with path.open("wb") as file:
        write_entry(file, change(header), map(memoryview, data))
