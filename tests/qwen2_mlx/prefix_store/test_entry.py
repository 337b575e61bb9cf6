"""The file format: what was written is read, and nothing else ever is."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from safetensors import safe_open

from qwen2_mlx.prefix_store.entry import (
    LARGEST_HEADER,
    DamagedEntryError,
    Header,
    Tensor,
    check_entry,
    entry_bytes,
    read_entry,
    read_header,
    read_tokens,
    write_entry,
)
from tests.qwen2_mlx.prefix_store.samples import sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole entry."""
    path = tmp_path / "entry.safetensors"
    _, header, data = sample(1)
    with path.open("wb") as file:
        write_entry(file, header, data)
    return path


def read(path: Path) -> tuple[Header, dict[str, bytes]]:
    found: dict[str, bytes] = {}
    with path.open("rb") as file:
        header = read_entry(file, lambda tensor, data: found.update({tensor.name: bytes(data)}))
    return header, found


def test_what_was_written_is_read(path: Path) -> None:
    _, written, data = sample(1)
    header, found = read(path)
    assert (header.facts, header.tensors) == (written.facts, written.tensors)
    assert list(found.values()) == [bytes(part) for part in data]
    with path.open("rb") as file:
        assert read_tokens(file, read_header(file)) == bytes(data[0])
        assert check_entry(file).tensors == written.tensors


def test_the_size_is_known_before_writing(path: Path) -> None:
    _, header, _ = sample(1)
    assert entry_bytes(header) == path.stat().st_size


def test_an_entry_is_a_safetensors_file(path: Path) -> None:
    with safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == {"tokens", "0.keys", "checksum"}
        assert file.metadata()["label"] == "text 1.txt"


@pytest.mark.parametrize(
    ("reader", "stride"), [(check_entry, 7), (lambda file: read_entry(file, lambda *_: None), 19)]
)
def test_every_flipped_bit_is_noticed(path: Path, reader: Callable[[BinaryIO], Header], stride: int) -> None:
    whole = path.read_bytes()
    for at in range(0, 8 * len(whole), stride):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        path.write_bytes(flipped)
        with path.open("rb") as file, pytest.raises(DamagedEntryError):
            reader(file)


def test_every_cut_and_every_extension_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for wrong in [*(whole[:length] for length in range(len(whole))), whole + b"\0", b"\0" + whole]:
        path.write_bytes(wrong)
        with path.open("rb") as file, pytest.raises(DamagedEntryError):
            check_entry(file)


def test_a_header_too_long_to_be_one_is_not_read(path: Path) -> None:
    class Counting(io.FileIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.most = max(self.most, size or 0)
            return super().read(size)

    with path.open("r+b") as file:
        file.write((LARGEST_HEADER + 8).to_bytes(8, "little"))
        file.truncate(4 * LARGEST_HEADER)
    with Counting(path) as file, pytest.raises(DamagedEntryError):
        read_header(file)  # type: ignore[arg-type]
    assert file.most == 8


TOKENS_ENTRY = {"dtype": "U32", "shape": [2], "data_offsets": [0, 8]}
CHECKSUM_ENTRY = {"dtype": "U8", "shape": [32], "data_offsets": [8, 40]}


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        {},
        {"__metadata__": {}},
        {"tokens": TOKENS_ENTRY, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {"a": 1}, "tokens": TOKENS_ENTRY, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": TOKENS_ENTRY},
        {"__metadata__": {}, "ids": TOKENS_ENTRY, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "dtype": "F32"}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "dtype": "U33"}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [1, 2]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [3]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [-2]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [2.0]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [True]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": 2}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "data_offsets": [8, 0]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": TOKENS_ENTRY, "checksum": {**CHECKSUM_ENTRY, "data_offsets": [0, 32]}},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "data_offsets": [4, 12]}, "checksum": CHECKSUM_ENTRY},
        {"__metadata__": {}, "tokens": {**TOKENS_ENTRY, "shape": [2**40]}, "checksum": CHECKSUM_ENTRY},
        {
            "__metadata__": {},
            "tokens": {**TOKENS_ENTRY, "shape": [2**62], "data_offsets": [0, 2**64]},
            "checksum": {**CHECKSUM_ENTRY, "data_offsets": [2**64, 2**64 + 32]},
        },
    ],
)
def test_a_header_that_fits_no_entry_is_refused(tmp_path: Path, content: Any) -> None:
    text = json.dumps(content).encode()
    path = tmp_path / "entry"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(40))
    with path.open("rb") as file, pytest.raises(DamagedEntryError):
        read_header(file)


def test_a_header_of_nothing_but_brackets_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    path.write_bytes((10**6).to_bytes(8, "little") + b"[" * 10**6 + bytes(40))
    with path.open("rb") as file, pytest.raises(DamagedEntryError):
        read_header(file)


def test_a_payload_that_its_header_does_not_describe_is_not_written(tmp_path: Path) -> None:
    _, header, data = sample(1)
    longer = Header(header.facts, (header.tensors[0], Tensor("0.keys", "F32", (65,))))
    with (tmp_path / "entry").open("wb") as file, pytest.raises(ValueError, match=r"0\.keys"):
        write_entry(file, longer, data)
