"""Weights whose channels AWQ multiplied, against their source.

What AWQ multiplies in one matrix it divides out of what stands before, by powers of two, so
that a value that is not quantised keeps its digits and changes its exponent alone. The powers
themselves are not stored. For a quantised matrix the factors of its rows and columns are those
with which its source comes nearest to it. They are so few beside its values that the rows of
another matrix, or the same in another order, cannot be explained by them.
"""

from collections.abc import Iterator

import mlx.core as mx
import numpy as np

#: Below it a float16 has fewer digits, which a power of two may have cost.
_FEWER_DIGITS = 2.0**-14

#: Rounds in which first columns and then rows are fitted.
_ROUNDS = 4


def same_digits(stored: mx.array, wanted: mx.array) -> mx.array:
    """Where two arrays hold the same number apart from a power of two."""
    ours, theirs = (np.array(values.astype(mx.float32)) for values in (stored, wanted))
    same = np.frexp(ours)[0] == np.frexp(theirs)[0]
    if stored.dtype == mx.float16:
        same |= np.minimum(np.abs(ours), np.abs(theirs)) < _FEWER_DIGITS
    return mx.array(same)


def scaled_like(stored: mx.array, original: mx.array) -> mx.array:
    """`original` (rows, in) as float32, its rows and columns multiplied so that it is nearest to `stored`."""
    ours, theirs = stored.astype(mx.float32), original.astype(mx.float32)
    theirs = theirs * (_norm(ours) / mx.maximum(_norm(theirs), 1e-30))
    for _ in range(_ROUNDS):
        theirs = theirs * _nearest(ours, theirs, axis=0)
        theirs = theirs * _nearest(ours, theirs, axis=1)
    return theirs


def within_matrices(ranges: list[tuple[int, int]], rows: int) -> Iterator[tuple[int, int]]:
    """`ranges` cut where a matrix of `rows` rows ends: each expert has powers of its own."""
    for start, stop in ranges:
        while start < stop:
            end = min(stop, (start // rows + 1) * rows)
            yield start, end
            start = end


def _norm(rows: mx.array) -> mx.array:
    """Of each row, (rows, 1)."""
    return rows.square().sum(axis=1, keepdims=True).sqrt()


def _nearest(ours: mx.array, theirs: mx.array, axis: int) -> mx.array:
    """The factors, none of them negative, that take `theirs` nearest to `ours` along `axis`."""
    squares = theirs.square().sum(axis=axis, keepdims=True)
    factors = (ours * theirs).sum(axis=axis, keepdims=True) / mx.maximum(squares, 1e-30)
    return mx.maximum(factors, 0.0)
