"""Integer codes in and out of MLX's packed words.

MLX lays the codes of a row end to end as one stream of bits, low bits first, whether or not
the width divides a word. So eight codes always fill `bits` whole bytes, and all widths are
packed alike: eight codes are seen as one 64-bit number, and three rounds of shifts close the
gaps between neighbours, pairs and fours.
"""

import mlx.core as mx
import numpy as np


def pack(codes: mx.array, bits: int) -> mx.array:
    """Codes uint8 (..., in), each below 2^bits, as uint32 (..., in x bits / 32); 32 divides `in`."""
    return mx.array(pack_bytes(np.array(codes, copy=False), bits))


def unpack(packed: mx.array, bits: int) -> mx.array:
    """Words uint32 (..., in x bits / 32) as codes uint8 (..., in)."""
    words = np.array(packed, copy=False)
    *rows, width = words.shape
    eights = np.zeros((words.size * 4 // bits, 8), np.uint8)
    eights[:, :bits] = np.ascontiguousarray(words).view(np.uint8).reshape(-1, bits)
    spread = eights.reshape(-1).view(np.uint64)
    for run in (4, 2, 1):
        low = _alternate(run * bits, 2 * run * 8)
        upper = spread & ~low
        upper <<= run * (8 - bits)
        spread &= low
        spread |= upper
    return mx.array(eights.reshape(*rows, width * 32 // bits))


def pack_bytes(codes: np.ndarray, bits: int) -> np.ndarray:
    """`pack` for NumPy arrays."""
    *rows, width = codes.shape
    closed = np.array(codes, order="C").reshape(-1).view(np.uint64)
    for run in (1, 2, 4):
        low = _alternate(run * bits, 2 * run * 8)
        upper = closed & (low << (run * 8))
        upper >>= run * (8 - bits)
        closed &= low
        closed |= upper
    packed = closed.view(np.uint8).reshape(-1, 8)[:, :bits]
    return np.ascontiguousarray(packed).reshape(-1).view(np.uint32).reshape(*rows, width * bits // 32)


def _alternate(ones: int, period: int) -> np.uint64:
    """A mask of `ones` bits at the start of each `period` bits."""
    return np.uint64(sum((1 << ones) - 1 << at for at in range(0, 64, period)))
