"""Scale and bias of a group of weights whose errors do not count alike."""

import numpy as np

from quant.fit import to_bfloat16

#: Parts of a group's range that are tried: rounding errors shrink with the range, and
#: what lies outside is clipped.
_RANGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6)

#: Inputs of a matrix that can tell which columns matter. Of fewer, which columns are loud is chance, and to
#: weigh by them leaves other texts worse off than a plain fit: a third more error with one input.
FEWEST_ROWS = 8

#: Rounds of least squares after each.
_ROUNDS = 3


def importance_of(squares: np.ndarray, rows: int) -> np.ndarray:
    """Of columns with these sums of squares over `rows` inputs: all alike where those are few."""
    return squares if rows >= FEWEST_ROWS else np.zeros_like(squares)


def fit_groups(
    weights: np.ndarray, importance: np.ndarray, bits: int, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scales and biases, float32 (groups,), exactly representable in `dtype`, for float32 (groups, size).

    `importance` (groups, size) or (1, size), not negative, weighs the squared errors of
    scale x code + bias. For several parts of each group's range, codes are rounded and scale
    and bias fitted to them by least squares in turn; the best result as stored is kept.
    """
    levels = np.float32(2**bits - 1)
    total = importance.sum(axis=1, keepdims=True)
    share = np.where(total > 0, importance / np.where(total > 0, total, 1), np.float32(1 / weights.shape[1]))
    low, high = weights.min(axis=1, keepdims=True), weights.max(axis=1, keepdims=True)
    middle = (share * weights).sum(axis=1, keepdims=True)
    best_error = np.full((len(weights), 1), np.inf, np.float32)
    best_scale, best_bias = np.zeros_like(best_error), np.zeros_like(best_error)
    for part in _RANGES:
        scale = stored((high - low) * np.float32(part) / levels, dtype)
        bias = stored(low + (1 - np.float32(part)) * (high - low) / 2, dtype)
        for _ in range(_ROUNDS + 1):
            codes = encode_groups(weights, scale, bias, levels)
            error = (share * np.square(scale * codes + bias - weights)).sum(axis=1, keepdims=True)
            better = error < best_error
            best_error = np.where(better, error, best_error)
            best_scale, best_bias = np.where(better, scale, best_scale), np.where(better, bias, best_bias)
            mean = (share * codes).sum(axis=1, keepdims=True)
            centred = share * (codes - mean)
            spread = (centred * codes).sum(axis=1, keepdims=True)
            slope = (centred * weights).sum(axis=1, keepdims=True) / np.where(spread > 0, spread, 1)
            scale = stored(np.where(spread > 0, slope, scale), dtype)
            bias = stored(middle - scale * mean, dtype)
    return best_scale[:, 0], best_bias[:, 0]


def encode_groups(weights: np.ndarray, scale: np.ndarray, bias: np.ndarray, levels: np.float32) -> np.ndarray:
    """The nearest codes, float32, of `weights` for scales and biases that broadcast to them."""
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    return np.clip(np.rint((weights - bias) * inverse), 0, levels)


def stored(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 `values` rounded to what float32, float16 or bfloat16 holds, and kept finite in float16."""
    if dtype == "float32":
        return values
    if dtype == "float16":
        return np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    return to_bfloat16(values)
