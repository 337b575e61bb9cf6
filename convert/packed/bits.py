"""Small codes out of 32-bit words, in the orders that the packed formats use.

GPTQ fills a word from its low bits up, as MLX does. AWQ's GEMM kernel wants the columns of a
word in another order: the nibble at place i, counted from the low end, holds column
`AWQ_COLUMNS[i]` of the eight.
"""

import numpy as np

AWQ_COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)


def unpack(words: np.ndarray, bits: int) -> np.ndarray:
    """Codes uint8 (..., n x 32 / bits) of `words` uint32 (..., n), low bits first; 4 or 8 bits."""
    packed = np.ascontiguousarray(words, "<u4").view(np.uint8)
    if bits == 8:
        return packed
    codes = np.empty((*packed.shape, 2), np.uint8)
    np.bitwise_and(packed, 15, out=codes[..., 0])
    np.right_shift(packed, 4, out=codes[..., 1])
    return codes.reshape(*words.shape[:-1], -1)


def unpack_awq(words: np.ndarray) -> np.ndarray:
    """Codes uint8 (..., n x 8) of `words` uint32 (..., n) in AWQ's order; 4 bits."""
    nibbles = unpack(words, 4).reshape(*words.shape, 8)
    return nibbles[..., np.argsort(AWQ_COLUMNS)].reshape(*words.shape[:-1], -1)


def unpack_awq_rows(words: np.ndarray) -> np.ndarray:
    """Codes uint8 (n x 8, m) of `words` uint32 (n, m), whose words each hold eight rows; 4 bits."""
    rows, width = words.shape
    codes = np.empty((rows, 8, width), np.uint8)
    for place, column in enumerate(AWQ_COLUMNS):
        codes[:, column] = (words >> np.uint32(4 * place)) & np.uint32(15)
    return codes.reshape(rows * 8, width)
