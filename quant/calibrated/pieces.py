"""Rows of a matrix do not depend on each other: pieces of them are quantised side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from quant.calibrated.walk import Coded

#: Rows of a piece. Fixed, so that the number of processors changes no code.
PIECE = 2048


def in_pieces(weight: np.ndarray, solve: Callable[[np.ndarray], Coded]) -> Coded:
    """What `solve` makes of the rows of `weight` (out, in), a piece of them a thread."""
    pieces = [weight[start : start + PIECE] for start in range(0, len(weight), PIECE)]
    if len(pieces) == 1:
        return solve(weight)
    pool = ThreadPoolExecutor()
    try:
        codes, scales, biases = zip(*pool.map(solve, pieces), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return np.concatenate(codes), np.concatenate(scales), np.concatenate(biases)
