"""What a comparison says about one candidate, over all texts and by kind."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant.report.shelf import Arrays
from quant.report.texts import Window

#: Nats; a loss beyond it has no perplexity that fits a number.
_LARGEST_LOSS = 700.0


@dataclass(frozen=True)
class Agreement:
    """Means over `tokens` predicted tokens.

    `kl` is the divergence from the reference in nats a token, `kl_99` its 99th percentile, and
    `kl_error` the standard error of its mean, windows taken as independent. `top_1` is the share
    of tokens of which both models find the same one most likely.
    """

    tokens: int
    kl: float
    kl_error: float
    kl_99: float
    perplexity: float
    reference_perplexity: float
    top_1: float


@dataclass(frozen=True)
class LayerError:
    """The error of the states after a layer as a share of the states, and what this layer added to it."""

    layer: int
    error: float
    added: float


def agreement(found: Sequence[Arrays]) -> Agreement:
    """Of windows as `compare.find` returns them."""
    kl = np.concatenate([window["kl"] for window in found])
    return Agreement(
        tokens=len(kl),
        kl=float(kl.mean()),
        kl_error=_standard_error([window["kl"] for window in found]),
        kl_99=float(np.quantile(kl, 0.99)),
        perplexity=_perplexity([window["losses"] for window in found]),
        reference_perplexity=_perplexity([window["expected"] for window in found]),
        top_1=float(np.concatenate([window["agrees"] for window in found]).mean()),
    )


def by_kind(rows: Sequence[tuple[Window, Arrays]]) -> dict[str, Agreement]:
    """The same for every kind of text, in the order in which they first appear."""
    kinds = dict.fromkeys(window.kind for window, _ in rows)
    return {kind: agreement([found for window, found in rows if window.kind == kind]) for kind in kinds}


def layer_errors(found: Sequence[Arrays]) -> list[LayerError]:
    """Of every layer from the first to the last."""
    errors = np.sqrt(np.mean([window["layers"] for window in found], axis=0))
    added = np.diff(errors, prepend=0.0)
    return [
        LayerError(i, float(error), float(new))
        for i, (error, new) in enumerate(zip(errors, added, strict=True))
    ]


def _standard_error(windows: Sequence[np.ndarray]) -> float:
    """Of the mean over all tokens (a ratio estimate, because windows differ in length)."""
    if len(windows) < 2:
        return 0.0
    sums, counts = np.array([w.sum() for w in windows]), np.array([len(w) for w in windows])
    spread = sums - counts * (sums.sum() / counts.sum())
    return float(np.sqrt(np.square(spread).sum() * len(windows) / (len(windows) - 1)) / counts.sum())


def _perplexity(losses: Sequence[np.ndarray]) -> float:
    return math.exp(min(float(np.concatenate(losses).mean(dtype=np.float64)), _LARGEST_LOSS))
