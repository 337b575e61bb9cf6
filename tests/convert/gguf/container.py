"""Writes the container of a GGUF file: settings, tensor entries, padding, data.

From the public layout description, for tests that need valid files, and a part of them to break.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11,
         "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "BF16": 30}  # fmt: skip

_SCALARS = {"u8": (0, "<B"), "i8": (1, "<b"), "u16": (2, "<H"), "i16": (3, "<h"), "u32": (4, "<I"),
            "i32": (5, "<i"), "f32": (6, "<f"), "bool": (7, "<?"), "u64": (10, "<Q"), "i64": (11, "<q"),
            "f64": (12, "<d")}  # fmt: skip


@dataclass(frozen=True)
class Typed:
    """A value with a type of its own choice."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Tensor:
    """A tensor by its Hugging Face shape, rows first; `type` is a name or a number."""

    name: str
    shape: Sequence[int]
    type: str | int
    data: bytes


def gguf(
    metadata: Mapping[str, Any],
    tensors: Sequence[Tensor] = (),
    version: int = 3,
    alignment: int = 32,
    offsets: Mapping[str, int] | None = None,
) -> bytes:
    """A whole file. `offsets` overrides where entries say that their tensor is."""
    entries, data = b"", b""
    for tensor in tensors:
        data += bytes(-len(data) % alignment)
        offset = (offsets or {}).get(tensor.name, len(data))
        number = TYPES[tensor.type] if isinstance(tensor.type, str) else tensor.type
        entries += text(tensor.name) + struct.pack("<I", len(tensor.shape))
        entries += struct.pack(f"<{len(tensor.shape)}Q", *reversed(tensor.shape))
        entries += struct.pack("<IQ", number, offset)
        data += tensor.data
    pairs = b"".join(text(key) + value(item) for key, item in metadata.items())
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + pairs + entries
    return header + bytes(-len(header) % alignment) + data


def text(string: str) -> bytes:
    raw = string.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    """Type and value: texts, truth values, whole numbers as u32, others as f32, lists of one of them."""
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, list):
        kind, payload = _array(item)
        return struct.pack("<IIQ", 9, kind, len(item)) + payload
    typed = _typed(item)
    kind, form = _SCALARS[typed.kind]
    return struct.pack("<I", kind) + struct.pack(form, typed.value)


def _typed(item: Any) -> Typed:
    if isinstance(item, Typed):
        return item
    return Typed("bool" if isinstance(item, bool) else "u32" if isinstance(item, int) else "f32", item)


def _array(items: list[Any]) -> tuple[int, bytes]:
    if items and isinstance(items[0], str):
        return 8, b"".join(text(item) for item in items)
    if items and isinstance(items[0], float):
        return 6, np.array(items, "<f4").tobytes()
    return 5, np.array(items, "<i4").tobytes()


def float_tensor(name: str, numbers: np.ndarray, type: str = "F32") -> tuple[Tensor, np.ndarray]:
    """A tensor in floating point, and its numbers as they are stored."""
    if type == "BF16":
        bits = numbers.astype(np.float32).view(np.uint32)
        halves = (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype("<u2")  # to nearest, ties to even
        stored = (halves.astype(np.uint32) << 16).view(np.float32)
        return Tensor(name, numbers.shape, type, halves.tobytes()), stored
    stored = numbers.astype({"F32": "<f4", "F16": "<f2"}[type])
    return Tensor(name, numbers.shape, type, stored.tobytes()), stored.astype(np.float32)


def block_tensor(name: str, shape: Sequence[int], type: str, blocks: np.ndarray) -> Tensor:
    """A tensor of packed blocks, uint8 (n, bytes of a block), row by row."""
    assert prod(shape) % len(blocks) == 0
    return Tensor(name, shape, type, blocks.tobytes())
