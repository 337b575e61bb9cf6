"""How far one model's predictions are from another's: Kullback-Leibler divergence, token by token.

For a small vocabulary all log-probabilities of the reference are kept and the divergence is
exact. For a large one only the most likely tokens are, and everything else counts as one more
token, whose probability is theirs together. By the log-sum inequality that can only lower the
divergence: what is shown is a lower bound, and a close one, since the tokens left out are those
that neither model expects.

With p and q summing to 1 alike, sum p log(p/q) = sum p (e^d - 1 - d) for d = log(q/p). No term
of the second form is negative, and an error that all d share, such as the rounding of a
normaliser, enters squared. So the divergence of 8-bit weights, far below the rounding of
a single logit, can be measured from float32 logits, and a model's from itself is exactly 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

#: Vocabularies up to this size are kept whole.
EXACT_VOCABULARY = 8192

#: Tokens kept of a larger one: 8 KB a position.
KEPT_TOKENS = 1024


@dataclass(frozen=True)
class Predictions:
    """What the reference expects at some positions.

    `tokens` int32 and `logprobs` float32 are (positions, kept); `tokens` is None where
    all of the vocabulary is kept in its order. `tail` (positions,) float32 is the logarithm of the
    probability of all other tokens. `losses` (positions,) float32 are the negative log-likelihoods
    of the text's next tokens in nats, `best` (positions,) int32 the most likely tokens.
    """

    tokens: np.ndarray | None
    logprobs: np.ndarray
    tail: np.ndarray | None
    losses: np.ndarray
    best: np.ndarray

    def at(self, rows: slice) -> "Predictions":
        """Those at some of the positions."""
        return Predictions(
            None if self.tokens is None else self.tokens[rows],
            self.logprobs[rows],
            None if self.tail is None else self.tail[rows],
            self.losses[rows],
            self.best[rows],
        )


def joined(pieces: Sequence[Predictions]) -> Predictions:
    """Consecutive pieces as one."""
    tokens = [piece.tokens for piece in pieces if piece.tokens is not None]
    tails = [piece.tail for piece in pieces if piece.tail is not None]
    return Predictions(
        np.concatenate(tokens) if tokens else None,
        np.concatenate([piece.logprobs for piece in pieces]),
        np.concatenate(tails) if tails else None,
        np.concatenate([piece.losses for piece in pieces]),
        np.concatenate([piece.best for piece in pieces]),
    )


@dataclass(frozen=True)
class Divergence:
    """Of a candidate at some positions, (positions,) each.

    `kl` float64 in nats, `losses` float32 of the candidate itself, `agrees` where its
    most likely token is the reference's.
    """

    kl: np.ndarray
    losses: np.ndarray
    agrees: np.ndarray


def kept_tokens(vocabulary: int) -> int | None:
    """How many tokens a position keeps; None for all of them."""
    return KEPT_TOKENS if vocabulary > EXACT_VOCABULARY else None


def predictions(logits: mx.array, targets: mx.array, kept: int | None) -> Predictions:
    """What float logits (positions, vocabulary) say; `targets` (positions,) are the next tokens."""
    logits = logits.astype(mx.float32)
    total = mx.logsumexp(logits, axis=-1, keepdims=True)
    losses, best = _losses(logits, total, targets), mx.argmax(logits, axis=-1)
    if kept is None:
        return Predictions(None, np.array(logits - total), None, np.array(losses), np.array(best, np.int32))
    tokens = mx.argpartition(-logits, kth=kept - 1, axis=-1)[:, :kept]
    chosen, tail = _parts(logits, total, tokens)
    return Predictions(np.array(tokens, np.int32), chosen, tail, np.array(losses), np.array(best, np.int32))


def divergence(reference: Predictions, logits: mx.array, targets: mx.array) -> Divergence:
    """Of the model with these logits (positions, vocabulary) from the reference."""
    logits = logits.astype(mx.float32)
    total = mx.logsumexp(logits, axis=-1, keepdims=True)
    if reference.tokens is None:
        kl = _divergence(reference.logprobs, np.array(logits - total))
    else:
        assert reference.tail is not None
        chosen, tail = _parts(logits, total, mx.array(reference.tokens))
        kl = _divergence(reference.logprobs, chosen) + _divergence(reference.tail[:, None], tail[:, None])
    agrees = np.array(mx.argmax(logits, axis=-1)) == reference.best
    return Divergence(kl, np.array(_losses(logits, total, targets)), agrees)


def _losses(logits: mx.array, total: mx.array, targets: mx.array) -> mx.array:
    return (total - mx.take_along_axis(logits, targets[:, None], axis=-1))[:, 0]


def _parts(logits: mx.array, total: mx.array, tokens: mx.array) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of `tokens`, and of all others together."""
    chosen = mx.take_along_axis(logits, tokens, axis=-1) - total
    rest = mx.put_along_axis(logits, tokens, mx.array(-mx.inf), axis=-1)
    tail = mx.logsumexp(rest, axis=-1) - total[:, 0]
    return np.array(chosen), np.array(tail)


def _divergence(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The sum of p (e^d - 1 - d) over the last axis, of log-probabilities; a forbidden token has none."""
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    likely = np.exp(expected)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = found - expected
        terms = likely * (np.expm1(gap) - gap)
    return np.where(likely > 0, terms, np.exp(found)).sum(axis=-1)
