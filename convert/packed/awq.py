"""AWQ as its GEMM kernel wants it.

`qweight` int32 (in, out / 8) and `qzeros` int32 (groups, out / 8) are packed along the output
in the order of `bits.AWQ_COLUMNS`; `scales` (groups, out). A weight is (code - zero) x scale.
There is no act-order: columns and groups stand in their own order.
"""

import numpy as np

from convert.packed.bits import unpack_awq, unpack_awq_rows
from convert.packed.columns import Held, all_columns, columns
from convert.packed.settings import PackedSettings
from convert.safetensors_file import StoredTensor

_IN_WORD = 8


class AwqLayout:
    """See `Layout`."""

    def shapes(self, rows: int, width: int, settings: PackedSettings) -> dict[str, tuple[int, ...]]:
        groups = width // settings.group_size
        return {
            "qweight": (width, rows // _IN_WORD),
            "qzeros": (groups, rows // _IN_WORD),
            "scales": (groups, rows),
        }

    def codes(self, qweight: StoredTensor, start: int, stop: int, bits: int, held: Held) -> np.ndarray:
        first = start // _IN_WORD
        packed = columns(qweight, first, -(-stop // _IN_WORD), held)
        return unpack_awq_rows(packed)[start - first * _IN_WORD : stop - first * _IN_WORD]

    def codes_at(self, qweight: StoredTensor, rows: np.ndarray, bits: int, held: Held) -> np.ndarray:
        return unpack_awq_rows(all_columns(qweight, held))[rows]

    def zeros(self, words: np.ndarray, bits: int) -> np.ndarray:
        return unpack_awq(words)
