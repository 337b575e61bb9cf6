"""Scales, biases and codes of affine groups, fitted to each other by least squares.

`mx.quantize` stretches the codes over the range of a group and rounds with the exact scale,
though a rounded one is stored. Here codes are chosen for the scale and bias as they are stored,
and both are fitted to the codes:

1. Four grids are tried on each group: either end of the range on the outermost code, or
   moved in by half a step, which gives up a little at the outermost weights for finer steps
   elsewhere. The one whose least-squares line leaves the smallest error is taken.
2. Its line is rounded to the stored type, codes are assigned to that, and a line is fitted to
   these codes, twice.
3. Where neighbouring numbers of the stored type are a large part of a step apart, which they are
   for bfloat16 at 6 and 8 bits, some of them are tried too.
4. The best is kept, MLX's own grid among the candidates: no group is worse than with `mx.quantize`.

A finer search gains little: nine grids instead of four take another 0.5 % off the squared error.
The work is done in NumPy on pieces that stay in the processor's cache. MLX operations
write each intermediate to new memory and are slower on a CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Round = Callable[[np.ndarray], np.ndarray]

_INSETS = (0.0, 0.5)  # steps by which an end of the range is moved in
_LEAST_MLX_STEP = 1e-7  # below it `mx.quantize` takes a group for constant
_LEAST_SPREAD = 1e-3  # sum of squares of codes about their mean that is no longer zero
_FELT = 0.2  # steps between two neighbouring scales, at the outermost code, that matter


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """float32 values rounded to the nearest that bfloat16 holds, ties to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    to_even = (bits >> 16) & 1
    return ((bits + (0x7FFF + to_even)) & np.uint32(0xFFFF0000)).view(np.float32)


def _to_float16(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def _to_float32(values: np.ndarray) -> np.ndarray:
    return values


#: How float32 values are rounded to a type, and the distance of its numbers just above 1.
_TYPES: dict[str, tuple[Round, float]] = {
    "bfloat16": (to_bfloat16, 2**-7),
    "float16": (_to_float16, 2**-10),
    "float32": (_to_float32, 2**-23),
}


@dataclass
class _Best:
    """The best grid of each group so far: what is stored, and its squared error."""

    scale: np.ndarray
    bias: np.ndarray
    error: np.ndarray

    def offer(self, scale: np.ndarray, bias: np.ndarray, error: np.ndarray) -> None:
        better = error < self.error
        np.copyto(self.scale, scale, where=better)
        np.copyto(self.bias, bias, where=better)
        np.copyto(self.error, error, where=better)


class Fitter:
    """Fits groups of one size; holds the memory to do it with up to `capacity` groups at a time."""

    def __init__(self, group_size: int, bits: int, dtype: str, capacity: int):
        """`dtype` (float32, float16, bfloat16) is the type scales and biases are stored in."""
        self.size = group_size
        self.top = float(2**bits - 1)
        self.stored, self.spacing = _TYPES[dtype]
        self.coarseness = self.top * self.spacing
        self.ones = np.ones(group_size, np.float32)
        self.room = np.empty((3, capacity, group_size), np.float32)

    def __call__(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes uint8 (groups, size), scales and biases float32 (groups,) for float32 (groups, size).

        The codes are of the stored scales and biases: a weight is scale x code + bias.
        """
        with np.errstate(all="ignore"):  # what overflows in a hopeless candidate is never chosen
            low, high = self._ends(weights)
            scale, bias = map(self.stored, _mlx_grid(low, high, self.top))
            best = _Best(scale, bias, self._assign(weights, scale, bias)[1])
            self._fit(weights, low, high, best)
            return self._assign(weights, best.scale, best.bias)[0].astype(np.uint8), best.scale, best.bias

    def _fit(self, weights: np.ndarray, low: np.ndarray, high: np.ndarray, best: _Best) -> None:
        """Offers what least squares finds to `best`."""
        step, mean = (high - low) / self.top, self._sum(weights) / self.size
        in_steps = self.room[0, : len(weights)]
        np.subtract(weights, mean[:, None], out=in_steps)
        np.multiply(in_steps, np.where(step > 0, 1 / step, 0)[:, None], out=in_steps)
        slope, mean_code, codes = self._best_line(in_steps, (low - mean) / step)
        for again in (False, True):
            if again:
                slope, mean_code, _ = self._line(codes, in_steps)
            scale = self.stored(step * slope)
            bias = self.stored(mean - scale * mean_code)
            codes, error = self._assign(weights, scale, bias)
            best.offer(scale, bias, error)
        if self.coarseness > _FELT:
            self._try_neighbours(weights, best)

    def _try_neighbours(self, weights: np.ndarray, best: _Best) -> None:
        """Offers stored scales and biases next to the best one's.

        A wider scale covers what rounding left outside; where a number's neighbours are whole steps
        away, those of the bias are grids in their own right, and one of them may lie better.
        """
        scale, middle = best.scale.copy(), best.bias + best.scale * (self.top / 2)
        shifts = (-1, 0, 1) if self.coarseness > 1 else (0,)
        for wider, shift in ((wider, shift) for wider in (0, 1) for shift in shifts):
            if wider or shift:
                wide = self.stored(scale * (1 + wider * self.spacing))
                bias = self.stored((middle - wide * (self.top / 2)) * (1 + shift * self.spacing))
                best.offer(wide, bias, self._assign(weights, wide, bias)[1])

    def _best_line(self, in_steps: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, ...]:
        """Slope and mean code of the line through the best grid's codes, and room for codes.

        `low` is the least value of a group.
        """
        codes = self.room[2, : len(in_steps)]
        insets = _INSETS if self.coarseness < 1 else _INSETS[:1]  # else a scale is rounded to another grid
        best_slope, best_mean, most = np.ones_like(low), np.zeros_like(low), np.zeros_like(low)
        for near, far in ((near, far) for near in insets for far in insets):
            finer = self.top / (self.top - near - far)
            np.multiply(in_steps, finer, out=codes)
            np.subtract(codes, ((low + near) * finer)[:, None], out=codes)
            self._round(codes, codes)
            slope, mean_code, explained = self._line(codes, in_steps)
            better = explained > most
            np.copyto(best_slope, slope, where=better)
            np.copyto(best_mean, mean_code, where=better)
            np.copyto(most, explained, where=better)
        return best_slope, best_mean, codes

    def _assign(
        self, weights: np.ndarray, scale: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest codes and a group's squared error; NaN, which no comparison prefers, for scale 0."""
        rest, codes = (room[: len(weights)] for room in self.room[1:])
        np.subtract(weights, bias[:, None], out=rest)
        np.multiply(rest, (1 / scale)[:, None], out=rest)
        self._round(rest, codes)
        np.subtract(rest, codes, out=rest)
        return codes, scale * scale * np.vecdot(rest, rest)

    def _line(self, codes: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The least-squares line of values, whose mean is 0, over their codes.

        Slope, mean code, and how much of the values' sum of squares the line explains. Sums of
        codes and their squares are whole numbers that float32 holds; their difference needs
        float64.
        """
        total = self._sum(codes).astype(np.float64)
        spread = np.maximum(np.vecdot(codes, codes) - total * total / self.size, _LEAST_SPREAD)
        shared = np.vecdot(codes, values)
        slope = shared / spread
        return slope.astype(np.float32), (total / self.size).astype(np.float32), shared * slope

    def _round(self, values: np.ndarray, codes: np.ndarray) -> None:
        np.rint(values, out=codes)
        np.clip(codes, 0, self.top, out=codes)

    def _ends(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest weight of each group; along columns, which NumPy finds much faster."""
        columns = self.room[0].reshape(-1)[: weights.size].reshape(self.size, -1)
        np.copyto(columns, weights.T)
        return columns.min(axis=0), columns.max(axis=0)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Sums over groups, each the same whatever groups stand beside it; a matrix product is not."""
        return np.vecdot(values, self.ones)


def _mlx_grid(low: np.ndarray, high: np.ndarray, top: float) -> tuple[np.ndarray, np.ndarray]:
    """Scale and bias of `mx.quantize` before they are stored.

    The end of the range that is farther from zero becomes code 0, and zero falls on a code.
    """
    below = np.abs(low) > np.abs(high)
    edge = np.where(below, low, high)
    step = np.maximum((high - low) / top, np.float32(_LEAST_MLX_STEP))
    step = np.where(below, step, -step)
    code_of_zero = np.rint(edge / step)
    apart = code_of_zero != 0
    scale = np.where(apart, edge / np.where(apart, code_of_zero, 1), step)
    return scale, np.where(apart, edge, 0).astype(np.float32)
