"""Columns of a stored matrix, read as rows.

The packed formats keep a matrix the other way round: one output of the layer is a column of
the file. Reading column after column would read the file once for each. So a block of
neighbouring columns is read, turned, and kept until another is wanted: read in order, every
byte is read once, and memory holds one block whatever the size of the matrix.
"""

import threading
from collections.abc import Callable, Hashable
from io import RawIOBase
from typing import Any

import numpy as np

from convert.safetensors_file import StoredTensor
from qwen2_mlx.errors import CheckpointError

#: Bytes of a block. The widest matrix of the family (29,696 in, 4 bits) gives 2,259 columns.
BLOCK_BYTES = 32 * 2**20
_STRIP_BYTES = 2**20
_WORD = 4


class Held(threading.local):
    """The last thing of each kind that was read, for all layers together: one of each is in memory.

    Each thread has its own, because threads that work on different layers would take it from
    each other.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[Hashable, Any]] = {}

    def get(self, kind: str, key: Hashable, read: Callable[[], Any]) -> Any:
        """What `read` gives for `key`, unless it is at hand."""
        if kind not in self._last or self._last[kind][0] != key:
            self._last.pop(kind, None)  # let go of the old before the new is made
            self._last[kind] = key, read()
        return self._last[kind][1]


def columns(tensor: StoredTensor, start: int, stop: int, held: Held) -> np.ndarray:
    """Columns `start` to `stop` of 32-bit words: uint32 (stop - start, stored rows)."""
    per_block = max(1, BLOCK_BYTES // (_WORD * tensor.shape[0]))
    wanted = np.empty((stop - start, tensor.shape[0]), np.uint32)
    for first in range(start - start % per_block, stop, per_block):
        last = min(first + per_block, tensor.shape[1])
        block = held.get(
            "columns", (tensor, first), lambda first=first, last=last: _read(tensor, first, last)
        )
        begin, end = max(start, first), min(stop, last)
        wanted[begin - start : end - start] = block[begin - first : end - first]
        del block  # or it would live on beside the next one
    return wanted


def all_columns(tensor: StoredTensor, held: Held) -> np.ndarray:
    """Every column, for those who need them out of order: uint32 (columns, stored rows)."""
    return held.get("columns", (tensor, None), lambda: _read(tensor, 0, tensor.shape[1]))


def _read(tensor: StoredTensor, start: int, stop: int) -> np.ndarray:
    """Columns `start` to `stop`, turned: uint32 (stop - start, stored rows)."""
    rows, width = tensor.shape
    turned = np.empty((stop - start, rows), np.uint32)
    strip = np.empty((max(1, _STRIP_BYTES // (_WORD * (stop - start))), stop - start), "<u4")
    try:
        with tensor.file.open("rb", buffering=0) as file:
            for first in range(0, rows, len(strip)):
                part = strip[: rows - first]
                if stop - start == width:
                    _fill(file, tensor, first * width, part)
                else:
                    for row, place in enumerate(part, first):
                        _fill(file, tensor, row * width + start, place)
                turned[:, first : first + len(part)] = part.T
    except OSError as error:
        raise CheckpointError(f"{tensor.file} cannot be read: {error.strerror or error}") from None
    return turned


def _fill(file: RawIOBase, tensor: StoredTensor, word: int, place: np.ndarray) -> None:
    """Reads as many words as `place` has, from word `word` of the tensor on."""
    file.seek(tensor.offset + _WORD * word)
    left = place.data.cast("B")
    while left.nbytes:
        got = file.readinto(left)
        if not got:
            raise CheckpointError(f"{tensor.file} is cut short; download or copy it again")
        left = left[got:]
