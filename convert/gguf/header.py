"""What stands before the numbers of a GGUF file: settings and the list of tensors.

Layout (public specification, versions 2 and 3, little endian): magic, version, two counts, the
key-value pairs, the tensor entries, padding, data. Every length in it is a claim: it is held
against the bytes that are left in the file, and against limits far above any real model's, before
anything of that length is read or built.
"""

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from convert.gguf.metadata import Metadata
from convert.gguf.tensor_types import SUPPORTED, UNSUPPORTED, TensorType
from qwen2_mlx.errors import CheckpointError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32

#: A real header of this family has six megabytes, six hundred thousand array elements, forty keys
#: and at most two thousand tensors.
_MOST_HEADER_BYTES = 2**26
_MOST_ELEMENTS = 2**21
_MOST_KEYS = 2**14
_MOST_TENSORS = 2**17
_LONGEST_NAME = 2**16 - 1
_LONGEST_ALIGNMENT = 2**16
_MOST_DIMENSIONS = 4

_TEXT, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS = {
    0: np.dtype("<u1"), 1: np.dtype("<i1"), 2: np.dtype("<u2"), 3: np.dtype("<i2"), 4: np.dtype("<u4"),
    5: np.dtype("<i4"), 6: np.dtype("<f4"), _BOOL: np.dtype("?"), 10: np.dtype("<u8"),
    11: np.dtype("<i8"), 12: np.dtype("<f8"),
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place in a file. `shape` is as in Hugging Face files: rows first, width last."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    file: Path
    offset: int

    @property
    def nbytes(self) -> int:
        return prod(self.shape[:-1]) * self.row_bytes

    @property
    def row_bytes(self) -> int:
        return self.type.row_bytes(self.shape[-1])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """The stored bytes of some rows, leading axes taken together: uint8 (stop - start, row bytes).

        Raises `CheckpointError` when the file can no longer be read.
        """
        rows = np.empty((stop - start, self.row_bytes), np.uint8)
        try:
            with self.file.open("rb", buffering=0) as stream:
                stream.seek(self.offset + start * self.row_bytes)
                view, filled = rows.reshape(-1).data, 0
                while filled < len(view):
                    count = stream.readinto(view[filled:])
                    if not count:
                        raise CheckpointError(f"{self.file} became shorter while it was read; copy it again")
                    filled += count
        except OSError as error:
            raise CheckpointError(f"{self.file} cannot be read: {error.strerror or error}") from None
        return rows


def read_header(path: Path) -> tuple[Metadata, dict[str, StoredTensor]]:
    """The settings and the tensors of one file.

    Raises `CheckpointError` for a file that is no GGUF file, of another version, damaged or cut
    short, or that holds a type of tensor which cannot be converted.
    """
    try:
        with path.open("rb", buffering=2**20) as stream:
            return _read(_Cursor(path, stream, path.stat().st_size))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None


class _Cursor:
    """A place in a header that moves on as values are read, never past the file's end."""

    def __init__(self, path: Path, stream: BinaryIO, size: int):
        self.path, self.size, self.at = path, size, 0
        self._stream = stream
        self._elements = 0

    def damaged(self, reason: str) -> CheckpointError:
        return CheckpointError(f"{self.path} is damaged: {reason}; download or copy it again")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.size - self.at:
            raise self.damaged("its header runs past its end")
        if count > _MOST_HEADER_BYTES - self.at:
            raise self.damaged(f"its header claims more than {_MOST_HEADER_BYTES >> 20} MB")
        data = self._stream.read(count)
        if len(data) != count:
            raise self.damaged("its header runs past its end")
        self.at += count
        return data

    def u32(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def u64(self) -> int:
        return struct.unpack("<Q", self.take(8))[0]

    def text(self, longest: int = _MOST_HEADER_BYTES) -> str:
        length = self.u64()
        if length > longest:
            raise self.damaged(f"it holds a text of {length} bytes")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise self.damaged("it holds a text that is not UTF-8") from None

    def value(self, kind: int) -> Any:
        """One value of a key: a number, a text or an array of either."""
        if kind == _TEXT:
            return self.text()
        if kind == _ARRAY:
            return self._array()
        return _plain(self._numbers(kind, 1)[0])

    def _array(self) -> list[str] | np.ndarray:
        kind, count = self.u32(), self.u64()
        self._elements += count
        if self._elements > _MOST_ELEMENTS:
            raise self.damaged(f"it claims arrays of {self._elements} elements")
        if kind == _ARRAY:
            raise self.damaged("it holds arrays of arrays, which no setting of this family is")
        if kind == _TEXT:
            if 8 * count > self.size - self.at:
                raise self.damaged("its header runs past its end")
            return [self.text() for _ in range(count)]
        return self._numbers(kind, count)

    def _numbers(self, kind: int, count: int) -> np.ndarray:
        if kind not in _NUMBERS:
            raise self.damaged(f"it holds a value of unknown type {kind}")
        data = self.take(count * _NUMBERS[kind].itemsize)
        if kind == _BOOL and data.strip(b"\0\1"):
            raise self.damaged("it holds a truth value that is neither 0 nor 1")
        return np.frombuffer(data, _NUMBERS[kind])


def _plain(number: Any) -> int | float | bool:
    """A numpy number as Python's; a float32 in its shortest decimal form, as it was before it was stored."""
    return float(str(number)) if number.dtype == np.float32 else number.item()


def _read(cursor: _Cursor) -> tuple[Metadata, dict[str, StoredTensor]]:
    if cursor.size < len(MAGIC) or cursor.take(4) != MAGIC:
        raise CheckpointError(f"{cursor.path} is no GGUF file; it does not begin with the letters GGUF")
    _check_version(cursor)
    tensor_count, key_count = cursor.u64(), cursor.u64()
    if tensor_count > _MOST_TENSORS or key_count > _MOST_KEYS:
        raise cursor.damaged(f"it claims {tensor_count} tensors and {key_count} keys")
    values: dict[str, Any] = {}
    for _ in range(key_count):
        key = cursor.text(_LONGEST_NAME)
        if key in values:
            raise cursor.damaged(f"its key {key[:80]!r} stands there twice")
        values[key] = cursor.value(cursor.u32())
    metadata = Metadata(cursor.path, values)
    entries: dict[str, StoredTensor] = {}
    for _ in range(tensor_count):
        entry = _tensor_entry(cursor)
        if entry.name in entries:
            raise cursor.damaged(f"its tensor {entry.name[:80]!r} stands there twice")
        entries[entry.name] = entry
    return metadata, _placed(cursor, metadata, entries)


def _check_version(cursor: _Cursor) -> None:
    raw = cursor.take(4)
    version = int.from_bytes(raw, "little")
    if version in VERSIONS:
        return
    if int.from_bytes(raw, "big") in VERSIONS:
        raise CheckpointError(f"{cursor.path} is big endian; only little-endian GGUF files can be read")
    raise CheckpointError(f"{cursor.path} is GGUF version {version}; versions 2 and 3 can be read")


def _tensor_entry(cursor: _Cursor) -> StoredTensor:
    """One entry of the list; its offset counts from where the data begin."""
    name = cursor.text(_LONGEST_NAME)
    dimensions = cursor.u32()
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise cursor.damaged(f"tensor {name[:80]!r} claims {dimensions} dimensions")
    shape = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))[::-1]  # stored width first
    number, offset = cursor.u32(), cursor.u64()
    if number not in SUPPORTED:
        known = UNSUPPORTED.get(number)
        kind = f"type {known}" if known else f"unknown type {number}"
        raise CheckpointError(
            f"{cursor.path}: tensor {name[:80]} has {kind}, which cannot be converted;"
            f" take a file of one of the types {', '.join(t.name for t in SUPPORTED.values())}"
        )
    tensor_type = SUPPORTED[number]
    if not all(shape) or shape[-1] % tensor_type.block:
        raise cursor.damaged(f"tensor {name[:80]!r} of type {tensor_type.name} has shape {list(shape)}")
    return StoredTensor(name, tensor_type, shape, cursor.path, offset)


def _placed(cursor: _Cursor, metadata: Metadata, entries: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The entries with offsets from the file's start, inside it, aligned and apart from each other."""
    alignment = metadata.size("general.alignment", DEFAULT_ALIGNMENT)
    if alignment % 8 or alignment > _LONGEST_ALIGNMENT:
        raise cursor.damaged(f"its alignment is {alignment}")
    start = cursor.at + -cursor.at % alignment
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.offset):
        if entry.offset % alignment or entry.offset < end:
            raise cursor.damaged(f"tensor {entry.name[:80]!r} is misplaced")
        end = entry.offset + entry.nbytes
        if start + end > cursor.size:
            raise CheckpointError(
                f"{cursor.path} is cut short: tensor {entry.name[:80]} ends beyond it;"
                " download or copy it again"
            )
    return {
        name: StoredTensor(name, entry.type, entry.shape, entry.file, start + entry.offset)
        for name, entry in entries.items()
    }
