"""Stored rows to float32, for every type; three have groups of 16, which MLX's codes cannot say.

Layouts: the public descriptions of ggml's block types.
"""

from collections.abc import Callable

import numpy as np

from convert.gguf.blocks import CODED, half
from convert.gguf.tensor_types import TensorType

_TWO_BITS = np.array([0, 2, 4, 6], np.uint8)[:, None]


def dequantise(rows: np.ndarray, tensor_type: TensorType) -> np.ndarray:
    """Rows as they are stored, uint8 (n, bytes), to float32 (n, width)."""
    name = tensor_type.name
    if name == "F32":
        return rows.view("<f4")
    if name == "F16":
        return rows.view("<f2").astype(np.float32)
    if name == "BF16":
        return (rows.view("<u2").astype(np.uint32) << 16).view(np.float32)
    blocks = rows.reshape(-1, tensor_type.nbytes)
    if name in CODED:
        codes, scales, biases = CODED[name][1](blocks)
        return (scales[..., None] * codes + biases[..., None]).reshape(len(rows), -1)
    return GROUPS_OF_16[name](blocks).reshape(len(rows), -1)


def q2_k(blocks: np.ndarray) -> np.ndarray:
    """16 bytes with a scale (low half) and a minimum (high half) each, 64 of codes, two float16."""
    codes = _two_bit_codes(blocks[:, 16:80])
    scales = half(blocks[:, 80:82]) * (blocks[:, :16] & 15)
    minima = half(blocks[:, 82:84]) * (blocks[:, :16] >> 4)
    return scales[..., None] * codes - minima[..., None]


def q3_k(blocks: np.ndarray) -> np.ndarray:
    """32 bytes of third bits, 64 of low codes, 12 with 16 signed 6-bit scales, a float16.

    Bit k of third-bit byte i belongs to weight 32 k + i. Codes and scales are shifted, by 4 and 32.
    """
    high = np.unpackbits(blocks[:, :32, None], axis=-1, bitorder="little")  # (n, i, k)
    codes = _two_bit_codes(blocks[:, 32:96]) | high.transpose(0, 2, 1).reshape(-1, 16, 16) << 2
    low, upper = blocks[:, 96:104], blocks[:, 104:108]
    upper = ((upper[:, None] >> _TWO_BITS) & 3).reshape(-1, 16)  # scale 4 i + j from byte j, bits 2 i
    scales = np.concatenate([low & 15, low >> 4], axis=1) | upper << 4
    scales = half(blocks[:, 108:]) * (scales.astype(np.float32) - 32)
    return scales[..., None] * (codes.astype(np.float32) - 4)


def q6_k(blocks: np.ndarray) -> np.ndarray:
    """128 bytes of low halves, 64 of upper two bits, 16 signed scales, a float16.

    Each half of 128 weights has 64 and 32 of these bytes: quarters 0 and 1 in the low halves of
    its bytes, 2 and 3 in the high ones; quarter q has bits 2 q of the others. Codes are shifted by 32.
    """
    low = blocks[:, :128].reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    upper = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> _TWO_BITS) & 3
    codes = (low | upper << 4).reshape(-1, 16, 16).astype(np.float32) - 32
    scales = half(blocks[:, 208:]) * blocks[:, 192:208].view(np.int8)
    return scales[..., None] * codes


def _two_bit_codes(stored: np.ndarray) -> np.ndarray:
    """64 bytes to (n, 16, 16): of 32 bytes, bits 2 q are quarter q of 128 weights."""
    return ((stored.reshape(-1, 2, 1, 32) >> _TWO_BITS) & 3).reshape(-1, 16, 16)


GROUPS_OF_16: dict[str, Callable[[np.ndarray], np.ndarray]] = {"Q2_K": q2_k, "Q3_K": q3_k, "Q6_K": q6_k}
