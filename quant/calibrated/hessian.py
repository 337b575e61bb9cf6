"""What a matrix sees of its inputs: the sum of x x^T over all rows x of calibration text.

Half the second derivative of ||x W^T - x Q^T||^2 by a row of Q, hence the name. One of the
29,568 inputs of the 72B's down projection takes 3.5 GB in float32, so only the upper triangle
is summed, in panels that are added to one by one, and the Cholesky factor takes the place of
the matrix: nothing of that size exists twice.
"""

import mlx.core as mx
import numpy as np

#: Rows of a panel of the sum, and of a block of the factorisation.
PANEL = 1024

#: What is added to the diagonal, as a part of its mean, so that directions without text
#: stay as they are (the value of the GPTQ authors' code).
DAMPING = 0.01


class Hessian:
    """The running sum over rows of inputs (rows, width)."""

    def __init__(self, width: int):
        self.width, self.rows = width, 0
        self._panels: list[mx.array | None] = [None] * -(-width // PANEL)

    def add(self, inputs: mx.array) -> None:
        """Adds rows (n, width) of any floating type; the sum is float32."""
        if not inputs.shape[0]:
            return
        self.rows += inputs.shape[0]
        inputs = inputs.astype(mx.float32)
        for i, panel in enumerate(self._panels):
            start = i * PANEL
            part = inputs[:, start : start + PANEL].T @ inputs[:, start:]
            self._panels[i] = part if panel is None else panel + part
            mx.eval(self._panels[i])

    def diagonal(self) -> np.ndarray:
        """The sum of squares of each input channel, float32 (width,)."""
        parts = [np.zeros(0, np.float32)]
        for i, panel in enumerate(self._panels):
            rows = min(PANEL, self.width - i * PANEL)
            parts.append(np.zeros(rows, np.float32) if panel is None else np.array(mx.diagonal(panel)))
        return np.concatenate(parts)

    def add_scaled(self, other: "Hessian", factor: float) -> None:
        """Adds `factor` times another sum over the same channels, and as many of its rows."""
        self.rows += round(factor * other.rows)
        for i, panel in enumerate(other._panels):
            if panel is not None:
                own = self._panels[i]
                self._panels[i] = factor * panel if own is None else own + factor * panel
                mx.eval(self._panels[i])

    def take(self) -> np.ndarray:
        """The upper triangle, float32 (width, width). What lies below it means nothing.

        Leaves no sum behind.
        """
        matrix = np.zeros((self.width, self.width), np.float32)
        for i, panel in enumerate(self._panels):
            if panel is not None:
                start = i * PANEL
                matrix[start : start + PANEL, start:] = np.array(panel)
            self._panels[i] = panel = None
        return matrix


def factor(matrix: np.ndarray, damping: float = DAMPING) -> np.ndarray:
    """R, upper triangular with zeros below, of `matrix` + d = R R^T; takes the place of `matrix`.

    `matrix` is float32 (n, n), of which the upper triangle is read. d stands on the diagonal:
    `damping` times its mean, and more in a block that float32 left without a factor. A matrix of
    zeros, of inputs that no text reached, gives the identity.

    Blocks are factored from the last to the first; each then leaves the part above and to its
    left, as a block Cholesky factorisation does from the other end.
    """
    mean = float(np.diagonal(matrix).mean(dtype=np.float64))
    if not mean > 0:
        matrix[:] = np.eye(len(matrix), dtype=np.float32)
        return matrix
    matrix.flat[:: len(matrix) + 1] += np.float32(damping * mean)
    for start in reversed(range(0, len(matrix), PANEL)):
        block = slice(start, start + PANEL)
        corner = _corner(matrix[block, block], damping * mean)
        matrix[block, block], matrix[block, :start] = corner, 0
        above = matrix[:start, block]
        above[:] = above @ np.linalg.inv(corner).T.astype(np.float32)
        for i in range(0, start, PANEL):
            rows = slice(i, i + PANEL)
            matrix[rows, i:start] -= above[rows] @ above[i:].T
    return matrix


def _corner(block: np.ndarray, extra: float) -> np.ndarray:
    """R, upper triangular, of `block` = R R^T, float64; of its diagonal plus 10, 100, ... `extra` at need."""
    upper = np.triu(block.astype(np.float64))
    whole = upper + np.triu(upper, 1).T
    while True:
        try:
            return np.linalg.cholesky(whole[::-1, ::-1])[::-1, ::-1]
        except np.linalg.LinAlgError:
            extra *= 10
            whole.flat[:: len(whole) + 1] += extra
