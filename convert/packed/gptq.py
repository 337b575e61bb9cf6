"""GPTQ as AutoGPTQ and its successors store it.

`qweight` int32 (in x bits / 32, out) is packed along the input, `qzeros` int32
(groups, out x bits / 32) along the output, both low bits first; `scales` (groups, out);
`g_idx` int32 (in,). A weight is (code - zero) x scale.
"""

import numpy as np

from convert.packed.bits import unpack
from convert.packed.columns import Held, all_columns, columns
from convert.packed.settings import PackedSettings
from convert.safetensors_file import StoredTensor


class GptqLayout:
    """See `Layout`."""

    def shapes(self, rows: int, width: int, settings: PackedSettings) -> dict[str, tuple[int, ...]]:
        groups = width // settings.group_size
        return {
            "qweight": (width * settings.bits // 32, rows),
            "qzeros": (groups, rows * settings.bits // 32),
            "scales": (groups, rows),
            "g_idx": (width,),
        }

    def codes(self, qweight: StoredTensor, start: int, stop: int, bits: int, held: Held) -> np.ndarray:
        return unpack(columns(qweight, start, stop, held), bits)

    def codes_at(self, qweight: StoredTensor, rows: np.ndarray, bits: int, held: Held) -> np.ndarray:
        return unpack(all_columns(qweight, held)[rows], bits)

    def zeros(self, words: np.ndarray, bits: int) -> np.ndarray:
        return unpack(words, bits)
