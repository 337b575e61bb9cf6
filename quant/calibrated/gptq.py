"""GPTQ (arXiv 2210.17323): columns are rounded one after the other, the later ones make up for the error.

With R the triangular factor of the Hessian, H = R R^T, the error of a row of weights is
|(w - q) R|^2. R being upper triangular, the first j columns of (w - q) alone decide the first
j terms: so each column is rounded to what cancels its term, given the columns before. This is
the paper's algorithm with its factor of the inverse, the inverse of R, which is never formed;
blocks of columns meet all errors before them in one product, and inside a block the paper's
own update runs over a small inverse.

Scale and bias of a group are fitted, with the diagonal of H as the importance of its columns,
when its first column is reached: to the weights as the errors before have changed them.
Columns keep their order, because MLX's layout has no permutation.
"""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from quant.calibrated.hessian import DAMPING, Hessian, factor
from quant.calibrated.layer import Layer
from quant.calibrated.pieces import in_pieces
from quant.calibrated.walk import Coded, Contexts, Solver
from quant.calibrated.weighted_fit import fit_groups, importance_of
from quant.format import Format

#: Columns of a block, a whole number of groups, and of a run of columns in it.
BLOCK, RUN = 128, 16


def gptq(
    weight: np.ndarray, triangle: np.ndarray, importance: np.ndarray, format: Format, dtype: str
) -> Coded:
    """Codes uint8 (out, in), scales and biases float32 (out, groups), of affine `format`.

    `weight` is float32 (out, in), `triangle` R (in, in) from `hessian.factor`, `importance`
    (in,) the diagonal of H. Scales and biases are exactly representable in `dtype`, and the
    codes are chosen for them as they are stored.
    """
    rows, width = weight.shape
    codes = np.empty((width, rows), np.uint8)
    errors = np.empty((rows, width), np.float32)
    scales = np.empty((width // format.group_size, rows), np.float32)
    biases = np.empty_like(scales)
    for start in range(0, width, BLOCK):
        block = slice(start, start + BLOCK)
        groups = slice(start // format.group_size, (start + BLOCK) // format.group_size)
        inverse = np.linalg.inv(triangle[block, block].astype(np.float64)).astype(np.float32)
        owed = errors[:, :start] @ triangle[:start, block]
        columns = np.ascontiguousarray((weight[:, block] + owed @ inverse).T)
        rounded = _round_block(
            columns, inverse, importance[block], format, dtype, codes[block], scales[groups], biases[groups]
        )
        errors[:, block] = weight[:, block] - rounded.T
    return np.ascontiguousarray(codes.T), np.ascontiguousarray(scales.T), np.ascontiguousarray(biases.T)


class GPTQ:
    """GPTQ as the way through a layer uses it (`walk.Method`)."""

    def statistic(self, width: int) -> Hessian:
        return Hessian(width)

    def solver(self, statistic: Hessian) -> Solver:
        """The fewer rows than channels there are, the more the result is a plain fit."""
        importance = importance_of(statistic.diagonal(), statistic.rows)
        shortage = max(0.0, 1 - statistic.rows / statistic.width)
        triangle = factor(statistic.take(), DAMPING + shortage)

        def solve(weight: np.ndarray, format: Format, dtype: str) -> Coded:
            return in_pieces(weight, lambda rows: gptq(rows, triangle, importance, format, dtype))

        return solve

    def before_attention(self, layer: Layer, states: Sequence[mx.array], contexts: Contexts) -> None:
        """Leaves the layer as it is."""

    def before_feed_forward(self, layer: Layer, states: Sequence[mx.array]) -> None:
        """Leaves the layer as it is."""


def _round_block(
    columns: np.ndarray,
    inverse: np.ndarray,
    importance: np.ndarray,
    format: Format,
    dtype: str,
    codes: np.ndarray,
    scales: np.ndarray,
    biases: np.ndarray,
) -> np.ndarray:
    """The rounded `columns` (columns, out), which are changed; writes their codes, scales and biases."""
    levels, size = np.float32(2**format.bits - 1), format.group_size
    rounded = np.empty_like(columns)
    errors = np.empty((RUN, columns.shape[1]), np.float32)
    for group in range(len(columns) // size):
        members = slice(group * size, (group + 1) * size)
        scale, bias = fit_groups(
            np.ascontiguousarray(columns[members].T), importance[None, members], format.bits, dtype
        )
        scales[group], biases[group] = scale, bias
        steps = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
        for first in range(members.start, members.stop, RUN):
            last = first + RUN
            for j in range(first, last):
                code = np.clip(np.rint((columns[j] - bias) * steps), 0, levels)
                codes[j], rounded[j] = code, code * scale + bias
                errors[j - first] = (columns[j] - rounded[j]) / inverse[j, j]
                columns[j + 1 : last] -= inverse[j, j + 1 : last, None] * errors[j - first]
            columns[last:] -= inverse[first:last, last:].T @ errors
    return rounded
