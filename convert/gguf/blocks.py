"""Block types whose groups are MLX's: their integer codes are kept, not rounded anew.

Each function takes blocks as they are stored, uint8 (n, bytes of a block), and returns codes uint8
(n, groups, 32) with float32 scales and biases (n, groups); a weight is scale x code + bias. Where
the type has signed codes they are shifted, and the bias takes the shift back. All scales and
biases are exact in float32. Those of Q4_0 to Q8_0 are exact in float16 too, because each is a
float16 or one times a power of two; the 4- and 5-bit K types multiply a float16 by a 6-bit number.

Layouts: the public descriptions of ggml's block types.
"""

from collections.abc import Callable

import numpy as np

GROUP = 32

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def q4_0(blocks: np.ndarray) -> Parts:
    """A float16 scale; 16 bytes, in their low halves weights 0 to 15, in the high ones 16 to 31."""
    scales = half(blocks[:, :2])
    return _nibbles(blocks[:, None, 2:]), scales, -8 * scales


def q4_1(blocks: np.ndarray) -> Parts:
    """As `q4_0`, with a float16 minimum after the scale."""
    return _nibbles(blocks[:, None, 4:]), half(blocks[:, :2]), half(blocks[:, 2:4])


def q5_0(blocks: np.ndarray) -> Parts:
    """As `q4_0`, with the fifth bits of the 32 weights in four bytes after the scale."""
    scales = half(blocks[:, :2])
    return _nibbles(blocks[:, None, 6:]) | _fifth_bits(blocks[:, 2:6]), scales, -16 * scales


def q5_1(blocks: np.ndarray) -> Parts:
    """As `q5_0`, with a float16 minimum after the scale."""
    codes = _nibbles(blocks[:, None, 8:]) | _fifth_bits(blocks[:, 4:8])
    return codes, half(blocks[:, :2]), half(blocks[:, 2:4])


def q8_0(blocks: np.ndarray) -> Parts:
    """A float16 scale and 32 signed bytes."""
    scales = half(blocks[:, :2])
    return blocks[:, None, 2:] ^ 0x80, scales, -128 * scales  # the sign bit flipped adds 128


def q4_k(blocks: np.ndarray) -> Parts:
    """256 weights in 8 groups: two float16, 6-bit scales and minima that they multiply, 128 bytes.

    Each 32 bytes hold a group in their low halves and the next one in the high ones.
    """
    scales, biases = _group_scales(blocks)
    return _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32), scales, biases


def q5_k(blocks: np.ndarray) -> Parts:
    """As `q4_k`, with the fifth bits before the codes: bit g of byte i is that of weight i of group g."""
    scales, biases = _group_scales(blocks)
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    high = (blocks[:, None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None]) & 1
    return low | high << 4, scales, biases


def half(stored: np.ndarray) -> np.ndarray:
    """Two bytes a block, uint8 (n, 2), as float32 (n, 1)."""
    return np.ascontiguousarray(stored).view("<f2").astype(np.float32)


def _nibbles(stored: np.ndarray) -> np.ndarray:
    """(n, groups, bytes) to (n, groups, 2 x bytes): all low halves, then all high ones."""
    return np.concatenate([stored & 15, stored >> 4], axis=-1)


def _fifth_bits(stored: np.ndarray) -> np.ndarray:
    """Four bytes a block, low bits first, to (n, 1, 32) of 0 or 16."""
    return np.unpackbits(stored, axis=-1, bitorder="little")[:, None] << 4


def _group_scales(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales and biases (n, 8) from the first 16 bytes of a block of `q4_k` or `q5_k`.

    Of the twelve bytes after the two float16, the low six bits of the first four are scales 0 to
    3, those of the next four minima 0 to 3. The last four hold the low four bits of scales and
    minima 4 to 7; their high two bits are the upper bits of the first eight bytes.
    """
    packed = blocks[:, 4:16]
    first, second, low = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([first & 63, (low & 15) | first >> 6 << 4], axis=1)
    minima = np.concatenate([second & 63, low >> 4 | second >> 6 << 4], axis=1)
    return half(blocks[:, :2]) * scales, -half(blocks[:, 2:4]) * minima


#: By type name: bits of a code, and the function that unpacks it.
CODED: dict[str, tuple[int, Callable[[np.ndarray], Parts]]] = {
    "Q4_0": (4, q4_0),
    "Q4_1": (4, q4_1),
    "Q5_0": (5, q5_0),
    "Q5_1": (5, q5_1),
    "Q8_0": (8, q8_0),
    "Q4_K": (4, q4_k),
    "Q5_K": (5, q5_k),
}

#: Types whose scales need 17 bits: exact in float32 only.
INEXACT_IN_HALF = ("Q4_K", "Q5_K")
