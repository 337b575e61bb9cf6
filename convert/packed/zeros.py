"""Zero points: the code that stands for the weight 0, one a group.

GPTQ's first format stores them less one. `checkpoint_format` should tell it from the second,
but exports exist that say `gptq` and store zeros as they are. With symmetric codes the zero
is known, half of all codes, so the stored value itself tells the formats apart.
"""

import numpy as np

from convert.packed.settings import PackedSettings


def true_zeros(stored: np.ndarray, settings: PackedSettings) -> np.ndarray:
    """Zero points uint8 of the `stored` ones, uint8 of any shape.

    A zero of 0 is stored as the highest code by GPTQ's first format, hence the mask.
    """
    return (stored + np.uint8(_offset(stored, settings))) & np.uint8(2**settings.bits - 1)


def contradicts_label(stored: np.ndarray, settings: PackedSettings) -> bool:
    """Whether the values show another format than the config names."""
    return _offset(stored, settings) != settings.zero_offset


def _offset(stored: np.ndarray, settings: PackedSettings) -> int:
    if settings.symmetric:
        middle = 2 ** (settings.bits - 1)
        for offset in (0, 1):
            if np.all(stored == middle - offset):
                return offset
    return settings.zero_offset
