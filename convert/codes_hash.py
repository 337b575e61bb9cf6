"""A hash of a matrix's integer codes, so that "lossless" can be checked.

It covers the codes themselves, one byte each in the order of the matrix (rows of outputs), not
the words they are packed in: GPTQ's, AWQ's and MLX's packing of one matrix have one hash.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from math import prod

import mlx.core as mx
import numpy as np

from convert.folder.stacked import AnyTensor
from convert.weights import CodedWeight
from quant.packing import unpack

_PIECE_CODES = 16 * 2**20


def codes_hash(pieces: Iterable[mx.array | np.ndarray]) -> str:
    """The hash, with its method as prefix, of codes uint8 (rows, in) given some rows at a time."""
    digest = sha256()
    width = None
    for piece in pieces:
        codes = np.array(piece, copy=False)
        if width is None:
            width = codes.shape[-1]
            digest.update(width.to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(codes).data)
    return f"sha256:{digest.hexdigest()}"


def source_hash(weight: CodedWeight) -> str:
    """The hash of a source's matrix, leading axes taken together."""
    rows, width = prod(weight.shape[:-1]), weight.shape[-1]
    return codes_hash(weight.rows(start, stop).codes for start, stop in _pieces(rows, width))


def written_hash(tensor: AnyTensor, bits: int) -> str:
    """The hash of a matrix in MLX's packing, `tensor` uint32 (..., out, in x bits / 32)."""
    rows, width = prod(tensor.shape[:-1]), tensor.shape[-1] * 32 // bits
    return codes_hash(unpack(tensor.rows(start, stop), bits) for start, stop in _pieces(rows, width))


def _pieces(rows: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _PIECE_CODES // max(1, width))
    for start in range(0, rows, step):
        yield start, min(rows, start + step)
