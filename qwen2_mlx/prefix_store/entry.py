"""One stored prefix as one safetensors file, read without trusting it.

    header length (8 bytes) | JSON header | tokens | the caches' tensors | checksum

The checksum is the last tensor of the file, so that an entry is written in one pass and
that everything before it is covered, the header too: SHA-256 over the SHA-256 digests of
header and tensors, in their order. Digests of parts can be computed on several threads,
which for entries of gigabytes takes less time than reading them.

A file is data only. Its header is bounded before it is read, each size in it is checked
against the file's before memory is spent, and nothing is handed out as whole unless the
checksum agrees.
"""

import hashlib
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

TOKENS = "tokens"
CHECKSUM = "checksum"

#: A header of the largest model (1024 layers, six tensors each) is under a tenth of this.
LARGEST_HEADER = 8 * 2**20

ITEM_BYTES = {"U8": 1, "U16": 2, "F16": 2, "BF16": 2, "U32": 4, "F32": 4}

#: Tensors whose digests may be outstanding: what is being hashed stays in memory.
_IN_FLIGHT = 8

#: Bytes read at once where nothing is kept.
_BLOCK = 16 * 2**20

_DIGEST_BYTES = 32


class DamagedEntryError(Exception):
    """A file that is no entry, or no longer the entry that was written."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's place in an entry. `dtype` is safetensors' name for it."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Header:
    """What stands in front of an entry's numbers: facts, all text, and the tensors in their order.

    The first tensor is the prefix's token ids. `raw` are the bytes it was read from.
    """

    facts: Mapping[str, str]
    tensors: tuple[Tensor, ...]
    raw: bytes = b""


def entry_bytes(header: Header) -> int:
    """The size of the file that `write_entry` makes."""
    return len(_encoded(header)) + sum(tensor.nbytes for tensor in header.tensors) + _DIGEST_BYTES


def write_entry(file: BinaryIO, header: Header, payload: Iterable[memoryview]) -> None:
    """Writes an entry; `payload` gives each tensor's bytes, in the header's order.

    Hashing runs beside writing. Raises `OSError` as the file does.
    """
    encoded = _encoded(header)
    digests = hashlib.sha256(hashlib.sha256(encoded).digest())
    file.write(encoded)
    with ThreadPoolExecutor(1) as pool:
        for tensor, data in zip(header.tensors, payload, strict=True):
            if data.nbytes != tensor.nbytes:
                raise ValueError(f"{tensor.name} has {data.nbytes} bytes, its header says {tensor.nbytes}")
            digest = pool.submit(_digest, data)
            file.write(data)
            digests.update(digest.result())
    file.write(digests.digest())


def read_header(file: BinaryIO) -> Header:
    """The header of an entry, checked against the size of the file, which is left at the first tensor.

    Raises `DamagedEntryError`.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise DamagedEntryError("its header does not fit the file")
    raw = file.read(length)
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise DamagedEntryError("its header is no JSON") from None
    if len(raw) != length or not isinstance(content, dict):
        raise DamagedEntryError("its header is no object")
    facts = content.pop("__metadata__", None)
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise DamagedEntryError("its header says nothing about it")
    tensors, end = _checked_tensors(content)
    if [tensor.name for tensor in tensors[-1:]] != [CHECKSUM] or tensors[-1].nbytes != _DIGEST_BYTES:
        raise DamagedEntryError("it has no checksum")
    if not tensors[0].name == TOKENS or tensors[0].dtype != "U32" or len(tensors[0].shape) != 1:
        raise DamagedEntryError("it has no token ids")
    if 8 + length + end != size:
        raise DamagedEntryError(f"it is {size} bytes long and says {8 + length + end}")
    return Header(facts, tensors[:-1], start + raw)


def read_tokens(file: BinaryIO, header: Header) -> bytes:
    """The token ids, little-endian and four bytes each, before any checksum is known to agree."""
    file.seek(len(header.raw))
    return bytes(_read(file, header.tensors[0].nbytes))


def read_entry(file: BinaryIO, take: Callable[[Tensor, bytearray], None]) -> Header:
    """Reads an entry to its end, giving each tensor's bytes to `take` on the way.

    Only when this returns were they those that were written. Raises `DamagedEntryError`, or
    `OSError` as the file does.
    """
    header = read_header(file)
    digests = hashlib.sha256(hashlib.sha256(header.raw).digest())
    pending: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(min(_IN_FLIGHT, os.cpu_count() or 1)) as pool:
        for tensor in header.tensors:
            if len(pending) == _IN_FLIGHT:
                digests.update(pending.popleft().result())
            data = _read(file, tensor.nbytes)
            pending.append(pool.submit(_digest, data))
            take(tensor, data)
        for digest in pending:
            digests.update(digest.result())
    _compare_checksum(file, digests.digest())
    return header


def check_entry(file: BinaryIO, on_progress: Callable[[int], None] | None = None) -> Header:
    """Reads an entry only to see whether it is whole, in little memory; reports bytes as they are read.

    Raises as `read_entry` does.
    """
    header = read_header(file)
    digests = hashlib.sha256(hashlib.sha256(header.raw).digest())
    for tensor in header.tensors:
        digest, left = hashlib.sha256(), tensor.nbytes
        while left:
            data = _read(file, min(left, _BLOCK))
            digest.update(data)
            left -= len(data)
            if on_progress:
                on_progress(len(data))
        digests.update(digest.digest())
    _compare_checksum(file, digests.digest())
    return header


def _compare_checksum(file: BinaryIO, digest: bytes) -> None:
    if file.read(_DIGEST_BYTES) != digest:
        raise DamagedEntryError("its checksum does not agree")


def _encoded(header: Header) -> bytes:
    """The header's length and JSON, padded so that the tensors begin at a multiple of eight."""
    content: dict[str, Any] = {"__metadata__": dict(header.facts)}
    at = 0
    for tensor in (*header.tensors, Tensor(CHECKSUM, "U8", (_DIGEST_BYTES,))):
        content[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.nbytes],
        }
        at += tensor.nbytes
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise ValueError(f"a header of {len(text)} bytes is too long")
    return len(text).to_bytes(8, "little") + text


def _checked_tensors(content: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], int]:
    """The tensors a header names, which must follow one another without a gap, and where they end."""
    tensors, at = [], 0
    for name, value in content.items():
        match value:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if (
                dtype in ITEM_BYTES and all(type(size) is int and 0 < size < 2**31 for size in shape)
            ):
                tensor = Tensor(name, dtype, tuple(shape))
            case _:
                raise DamagedEntryError("a tensor is described in a way that no entry has")
        if begin != at or end - begin != tensor.nbytes:
            raise DamagedEntryError("a tensor's place does not fit its shape")
        tensors.append(tensor)
        at = end
    if len(tensors) < 2:
        raise DamagedEntryError("it holds no tensors")
    return tuple(tensors), at


def _read(file: BinaryIO, size: int) -> bytearray:
    data = bytearray(size)
    if file.readinto(data) != size:  # type: ignore[attr-defined] - what open(path, "rb") gives has it
        raise DamagedEntryError("it is cut short")
    return data


def _digest(data: memoryview | bytearray) -> bytes:
    return hashlib.sha256(data).digest()
