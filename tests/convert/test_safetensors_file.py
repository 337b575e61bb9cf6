"""Headers are believed only as far as the file bears them out; rows are those of any other reader."""

import json
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import save_file

from convert.safetensors_file import header_bytes, read_header, stored_tensors
from qwen2_mlx.errors import CheckpointError
from tests.checkpoints import edit_json, split_into_shards

ROUNDS = 200
INDEX = "model.safetensors.index.json"


def write(file: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    """A file with `header` as it is given, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return file


def entry(begin: int, end: int, shape: list[Any] | None = None, dtype: str = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float16", "bfloat16", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"],
)
def test_rows_are_those_that_mlx_reads(dtype: str, tmp_path: Path) -> None:
    values = mx.random.normal((3, 4, 8)) * 100
    file = tmp_path / "model.safetensors"
    mx.save_safetensors(str(file), {"x": values.astype(getattr(mx, dtype)), "y": mx.ones((5,))})
    expected = cast(dict[str, mx.array], mx.load(str(file)))["x"]
    tensor = stored_tensors(tmp_path)["x"]
    for start, stop in ((0, 12), (5, 6), (11, 12), (4, 9), (3, 3)):
        rows = tensor.rows(start, stop)
        assert rows.dtype == expected.dtype
        assert mx.array_equal(rows, expected.reshape(12, 8)[start:stop])


def test_a_vector_is_one_row(tmp_path: Path) -> None:
    save_file({"x": np.arange(6, dtype=np.float32)}, tmp_path / "model.safetensors")
    assert stored_tensors(tmp_path)["x"].rows(0, 1).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_rows_beyond_the_tensor_are_refused(tmp_path: Path) -> None:
    save_file(
        {"x": np.zeros((2, 2), np.float32), "y": np.zeros(9, np.float32)}, tmp_path / "model.safetensors"
    )
    for start, stop in ((1, 3), (-1, 1), (2, 1)):
        with pytest.raises(ValueError, match="bytes"):
            stored_tensors(tmp_path)["x"].rows(start, stop)


def test_a_file_that_shrinks_after_its_header_was_read_is_one_error(tmp_path: Path) -> None:
    """A memory map would end the process here."""
    file = tmp_path / "model.safetensors"
    save_file({"x": np.zeros((2000, 8), np.float32)}, file)
    tensor = stored_tensors(tmp_path)["x"]
    file.write_bytes(file.read_bytes()[:-4096])
    with pytest.raises(CheckpointError, match="shorter"):
        tensor.rows(1900, 2000)
    file.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        tensor.rows(0, 1)


def test_a_written_header_is_read_back(tmp_path: Path) -> None:
    tensors = {"a": ("bfloat16", (2, 3), 12), "b": ("uint32", (4,), 16), "ü": ("uint8", (0,), 0)}
    header = header_bytes(tensors, {"format": "mlx"})
    file = tmp_path / "model.safetensors"
    file.write_bytes(header + bytes(28))
    read = read_header(file)
    assert {name: (t.dtype, t.shape, t.nbytes) for name, t in read.items()} == {
        "a": ("BF16", (2, 3), 12), "b": ("U32", (4,), 16), "ü": ("U8", (0,), 0),
    }  # fmt: skip
    assert [read["a"].offset, read["b"].offset] == [len(header), len(header) + 12]
    assert len(header) % 8 == 0
    assert cast(dict[str, mx.array], mx.load(str(file)))["b"].shape == (4,)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"x": entry(0, 4), "y": entry(2, 6)}, "overlaps"),
        ({"x": entry(0, 4), "y": entry(0, 4)}, "overlaps"),
        ({"x": entry(0, 2), "y": entry(3, 6)}, "gap"),
        ({"x": entry(1, 6)}, "gap"),
        ({"x": entry(0, 5)}, "describes"),
        ({"x": entry(0, 7)}, "describes"),
        ({"x": entry(0, 6, [2, 2])}, "has 6 bytes"),
        ({"x": entry(0, 6, [2**62, 2**62])}, "has 6 bytes"),
        ({"x": entry(0, 6, [2**70])}, "no proper shape"),
        ({"x": entry(0, 6, [10**400])}, "no proper shape"),
        ({"x": entry(0, 6, [-6])}, "no proper shape"),
        ({"x": entry(0, 6, [-2, -3])}, "no proper shape"),
        ({"x": entry(0, 6, [6.0])}, "no proper shape"),
        ({"x": entry(0, 6, [True, 6])}, "no proper shape"),
        ({"x": entry(0, 6, [1] * 9 + [6])}, "no proper shape"),
        ({"x": entry(0, 6, ["6"])}, "no proper shape"),
        ({"x": entry(6, 0, [6])}, "no proper shape"),
        ({"x": {**entry(0, 6), "data_offsets": [0, 6, 6]}}, "no proper shape"),
        ({"x": {"dtype": "U8"}}, "no proper shape"),
        ({"x": entry(0, 6, dtype="F4")}, "unknown type"),
        ({"x": {**entry(0, 6), "dtype": ["U8"]}}, "unknown type"),
        ({"x": 3}, "no object"),
        ({"__metadata__": 3, "x": entry(0, 6)}, "metadata"),
        ([1], "no object"),
        (b'{"x": ' * 100_000, "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"x": NaNs}', "damaged"),
        (b"\xff\xfe\xfd", "no text"),
        (b'{"x":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"x":{"dtype":"U8"}}', "twice"),
    ],
)
def test_a_header_that_does_not_describe_its_file_is_one_error(
    header: object, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=reason) as raised:
        read_header(write(tmp_path / "model.safetensors", header, bytes(6)))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("length", [7, 2**33, 2**63, 2**64 - 1])
def test_an_absurd_header_length_costs_no_memory(length: int, tmp_path: Path) -> None:
    file = write(tmp_path / "model.safetensors", b"{}", length=length)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="header would have"):
        read_header(file)
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 2**24


def test_a_sparse_file_with_a_huge_header_is_not_read(tmp_path: Path) -> None:
    file = write(tmp_path / "model.safetensors", b"{}", length=2**32)
    with file.open("r+b") as opened:
        opened.truncate(2**33)
    with pytest.raises(CheckpointError, match="header would have"):
        read_header(file)


@pytest.mark.parametrize("size", range(9))
def test_a_file_of_a_few_bytes_is_one_error(size: int, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(size))
    with pytest.raises(CheckpointError):
        read_header(tmp_path / "model.safetensors")


def test_an_index_that_names_another_file_than_holds_the_tensor_is_one_error(checkpoint: Path) -> None:
    weight_map = split_into_shards(checkpoint)
    first, *_, last = weight_map
    edit_json(checkpoint / INDEX, weight_map={**weight_map, first: weight_map[last]})
    with pytest.raises(CheckpointError, match="does not fit its files"):
        stored_tensors(checkpoint)


def test_an_index_with_a_tensor_that_is_not_there_is_one_error(checkpoint: Path) -> None:
    weight_map = split_into_shards(checkpoint)
    edit_json(checkpoint / INDEX, weight_map={**weight_map, "more": next(iter(weight_map.values()))})
    with pytest.raises(CheckpointError, match="holds no tensor more"):
        stored_tensors(checkpoint)


def test_an_index_that_forgets_a_tensor_is_one_error(checkpoint: Path) -> None:
    weight_map = split_into_shards(checkpoint)
    forgotten = sorted(weight_map)[1]
    edit_json(checkpoint / INDEX, weight_map={n: f for n, f in weight_map.items() if n != forgotten})
    with pytest.raises(CheckpointError, match=f"does not list {forgotten}"):
        stored_tensors(checkpoint)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/../../b.safetensors", "", ".."])
def test_an_index_that_climbs_out_of_the_folder_is_one_error(name: str, checkpoint: Path) -> None:
    weight_map = split_into_shards(checkpoint)
    edit_json(checkpoint / INDEX, weight_map={**weight_map, next(iter(weight_map)): name})
    with pytest.raises(CheckpointError):
        stored_tensors(checkpoint)


def test_damaged_headers_are_refused_or_read_as_they_say(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    whole = file.read_bytes()
    length = 8 + struct.unpack("<Q", whole[:8])[0]
    read = 0
    for damaged in damages(whole, length, Random(1)):
        file.write_bytes(damaged)
        try:
            tensors = read_header(file)
        except CheckpointError:
            continue
        read += 1
        end = max((t.offset + t.nbytes for t in tensors.values()), default=0)
        assert end <= len(damaged)
    assert 0 < read < ROUNDS  # a changed letter in a name is no damage to the header


def damages(whole: bytes, reach: int, rng: Random) -> Iterator[bytes]:
    """`whole` cut somewhere, or with a few bytes of the first `reach` changed."""
    for _ in range(ROUNDS):
        if rng.random() < 0.3:
            yield whole[: rng.randrange(len(whole))]
            continue
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(reach)] = rng.choice([rng.randrange(256), *b'019-{}[]",:'])
        yield bytes(damaged)
