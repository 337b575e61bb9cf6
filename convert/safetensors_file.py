"""Safetensors files, read by header first and by rows after.

The format is eight bytes of header length (little endian), a JSON object that gives each
tensor a type, a shape and a place, and the tensors' bytes. A header comes from anywhere, so
nothing in it is believed before it fits the file: the places must cover the bytes behind
the header without gap or overlap, and each must be as long as its type and shape say.

Rows are read with plain reads rather than through a memory map: a map of a file that
shrinks meanwhile kills the process, and its pages count as the process's own memory.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

import mlx.core as mx
import numpy as np

from qwen2_mlx.errors import CheckpointError, first_line
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.weights import INDEX_NAME, weight_files

#: Bytes of a header that is taken for one. The largest models of the family need a thirtieth.
_MOST_HEADER_BYTES = 32 * 2**20

#: Bytes of an element by the format's name of its type.
_ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip

#: The types whose rows can be read: numpy's type for the bytes, MLX's for the numbers.
_READABLE: dict[str, tuple[type[np.generic], mx.Dtype]] = {
    "BOOL": (np.bool_, mx.bool_),
    "U8": (np.uint8, mx.uint8),
    "I8": (np.int8, mx.int8),
    "U16": (np.uint16, mx.uint16),
    "I16": (np.int16, mx.int16),
    "F16": (np.float16, mx.float16),
    "BF16": (np.uint16, mx.bfloat16),
    "U32": (np.uint32, mx.uint32),
    "I32": (np.int32, mx.int32),
    "F32": (np.float32, mx.float32),
    "U64": (np.uint64, mx.uint64),
    "I64": (np.int64, mx.int64),
}

#: The format's name of each type that a model of this family is written in, by MLX's name.
SPELLED = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "uint32": "U32", "uint8": "U8", "int32": "I32",
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a safetensors file: `nbytes` bytes at `offset` of `file`.

    `dtype` is spelled as in the format: BF16, F16, F32, I32, U32, U8 and so on.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int

    def rows(self, start: int, stop: int) -> mx.array:
        """Rows `start` to `stop` with all leading axes taken together: (stop - start, shape[-1]).

        A vector is one row. Only their bytes are read. Raises `CheckpointError` for a type
        without arithmetic, and when the file cannot be read or has become shorter.
        """
        if self.dtype not in _READABLE:
            raise CheckpointError(f"{self.file}: tensor {self.name} has type {self.dtype}, which is not read")
        stored, dtype = _READABLE[self.dtype]
        width = self.shape[-1] if self.shape else 1
        row_bytes = width * _ITEM_BYTES[self.dtype]
        raw = self._bytes(start * row_bytes, (stop - start) * row_bytes)
        numbers: Any = np.frombuffer(raw, stored).reshape(stop - start, width)
        rows = mx.array(numbers)
        return rows if rows.dtype == dtype else rows.view(dtype)

    def _bytes(self, start: int, count: int) -> bytearray:
        """`count` bytes from byte `start` of the tensor on."""
        if start < 0 or count < 0 or start + count > self.nbytes:
            raise ValueError(f"bytes {start} to {start + count} of {self.name}, which has {self.nbytes}")
        raw = bytearray(count)
        try:
            with self.file.open("rb", buffering=0) as file:
                file.seek(self.offset + start)
                view, held = memoryview(raw), 0
                while held < count and (got := file.readinto(view[held:])):
                    held += got
        except OSError as error:
            raise CheckpointError(f"{self.file} cannot be read: {error.strerror or error}") from None
        if held < count:
            raise _damaged(self.file, "it has become shorter")
        return raw


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the checkpoint in `folder`, from the headers of its files alone.

    Raises `CheckpointError` for a missing, damaged or cut file, a name that climbs out of
    the folder, a tensor that two files hold, and an index that its files contradict.
    """
    found: dict[str, StoredTensor] = {}
    for file in weight_files(folder):
        tensors = read_header(file)
        if twice := sorted(found.keys() & tensors.keys()):
            raise CheckpointError(f"{file} repeats a tensor of another file: {twice[0]}")
        found |= tensors
    if (folder / INDEX_NAME).is_file():
        _check_index(folder, found)
    return found


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one safetensors file in the order of their bytes.

    Raises `CheckpointError` when the header is damaged or does not describe the file.
    """
    header, start, size = _read_json(file)
    metadata = header.pop("__metadata__", None)
    if metadata is not None and not isinstance(metadata, dict):  # MLX writes null where it has none
        raise _damaged(file, "its metadata is no object")
    tensors = [_tensor(file, name, entry, start) for name, entry in header.items()]
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.nbytes))
    end = start
    for tensor in tensors:
        if tensor.offset != end:
            kind = "overlaps its neighbour" if tensor.offset < end else "leaves a gap before it"
            raise _damaged(file, f"tensor {tensor.name} {kind}")
        end += tensor.nbytes
    if end != size:
        raise _damaged(file, f"its header describes {end} bytes, it has {size}")
    return {tensor.name: tensor for tensor in tensors}


def header_bytes(tensors: Mapping[str, tuple[str, Sequence[int], int]], metadata: Mapping[str, str]) -> bytes:
    """The header of a file that holds `tensors` one after another: length, JSON, padding to 8 bytes.

    Each tensor is given by MLX's name of its type, its shape and its bytes.
    """
    places: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, shape, nbytes) in tensors.items():
        places[name] = {"dtype": SPELLED[dtype], "shape": list(shape), "data_offsets": [end, end + nbytes]}
        end += nbytes
    text = json.dumps(places, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _read_json(file: Path) -> tuple[dict[str, Any], int, int]:
    """The header's object, the place of the first byte behind it, and the size of the file."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if size < 8 or length > size - 8:
                raise _damaged(file, f"its header would have {length} bytes, the file has {size}")
            if length > _MOST_HEADER_BYTES:
                raise _damaged(file, f"its header would have {length} bytes")
            text = opened.read(length).decode()
    except UnicodeDecodeError:
        raise _damaged(file, "its header is no text") from None
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror or error}") from None
    try:
        header = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, first_line(error)) from None
    if not isinstance(header, dict):
        raise _damaged(file, "its header is no object")
    return header, 8 + length, size


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that is given twice would mean one thing here and another elsewhere."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name appears twice")
    return value


def _tensor(file: Path, name: str, entry: Any, start: int) -> StoredTensor:
    """The tensor that a header's `entry` describes; `start` is where the bytes begin."""
    if not isinstance(entry, dict):
        raise _damaged(file, f"tensor {name} is no object")
    dtype, shape, place = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise _damaged(file, f"tensor {name} has the unknown type {str(dtype)[:20]!r}")
    if not _counts(shape) or not _counts(place) or len(place) != 2 or place[0] > place[1]:
        raise _damaged(file, f"tensor {name} has no proper shape and place")
    nbytes = place[1] - place[0]
    if prod(shape) * _ITEM_BYTES[dtype] != nbytes:
        raise _damaged(file, f"tensor {name} of shape {shape} has {nbytes} bytes")
    return StoredTensor(name, dtype, tuple(shape), file, start + place[0], nbytes)


def _counts(value: Any) -> TypeGuard[list[int]]:
    """Whether `value` is a short list of whole numbers that fit 63 bits."""
    return (
        isinstance(value, list)
        and len(value) <= 8
        and all(type(item) is int and 0 <= item < 2**63 for item in value)
    )


def _check_index(folder: Path, found: Mapping[str, StoredTensor]) -> None:
    """Raises `CheckpointError` unless the index places every tensor where its file holds it."""
    index = folder / INDEX_NAME
    weight_map = read_json_object(index)["weight_map"]
    for name, file in weight_map.items():
        if name not in found or found[name].file.name != file:
            raise CheckpointError(f"{index} does not fit its files: {file} holds no tensor {name}")
    if unlisted := sorted(found.keys() - weight_map.keys()):
        raise CheckpointError(f"{index} does not fit its files: it does not list {unlisted[0]}")


def _damaged(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{file} is damaged or cut short ({reason}); download or copy it again")
