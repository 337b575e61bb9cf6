"""Divergences against a float64 computation of the definition."""

import mlx.core as mx
import numpy as np
import pytest

from quant.report.divergence import divergence, joined, predictions

POSITIONS, VOCABULARY = 40, 300


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (POSITIONS, VOCABULARY)).astype(np.float32)


@pytest.fixture
def targets() -> mx.array:
    return mx.array(np.random.default_rng(1).integers(0, VOCABULARY, POSITIONS))


def perturbed(logits: np.ndarray, size: float) -> np.ndarray:
    return logits + np.random.default_rng(2).normal(0, size, logits.shape).astype(np.float32)


def float64_kl(logits: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The definition, sum p log(p/q), row by row."""
    p, q = (
        x.astype(np.float64) - np.logaddexp.reduce(x.astype(np.float64), -1)[:, None]
        for x in (logits, others)
    )
    return (np.exp(p) * (p - q)).sum(axis=-1)


@pytest.mark.parametrize("size", [1e-3, 0.01, 0.1, 1.0, 5.0])
def test_the_exact_divergence_is_that_of_the_definition(
    logits: np.ndarray, targets: mx.array, size: float
) -> None:
    other = perturbed(logits, size)
    found = divergence(predictions(mx.array(logits), targets, None), mx.array(other), targets)
    np.testing.assert_allclose(found.kl, float64_kl(logits, other), rtol=2e-3, atol=1e-12)


@pytest.mark.parametrize("kept", [None, 1, 20, 299])
def test_a_model_does_not_diverge_from_itself_at_all(
    logits: np.ndarray, targets: mx.array, kept: int | None
) -> None:
    found = divergence(predictions(mx.array(logits), targets, kept), mx.array(logits), targets)
    assert (found.kl == 0).all()
    assert found.agrees.all()


@pytest.mark.parametrize("kept", [1, 5, 50, 299])
@pytest.mark.parametrize("size", [0.01, 0.3, 3.0])
def test_fewer_tokens_give_a_lower_bound(
    logits: np.ndarray, targets: mx.array, kept: int, size: float
) -> None:
    other = perturbed(logits, size)
    found = divergence(predictions(mx.array(logits), targets, kept), mx.array(other), targets)
    exact = float64_kl(logits, other)
    assert (found.kl <= exact * (1 + 1e-3)).all()
    assert (found.kl >= 0).all()
    if kept >= 50:
        assert found.kl.mean() > 0.5 * exact.mean()


def test_all_other_tokens_count_as_one(logits: np.ndarray, targets: mx.array) -> None:
    other, kept = perturbed(logits, 0.5), 30
    found = divergence(predictions(mx.array(logits), targets, kept), mx.array(other), targets)
    for row, value in enumerate(found.kl):
        p, q = (np.exp(x[row].astype(np.float64)) for x in (logits, other))
        p, q = p / p.sum(), q / q.sum()
        most = np.argsort(-p)[:kept]
        p, q = (np.append(x[most], 1 - x[most].sum()) for x in (p, q))
        assert value == pytest.approx((p * np.log(p / q)).sum(), rel=1e-3)


@pytest.mark.parametrize("kept", [None, 20, 299])
def test_forbidden_tokens_change_nothing(logits: np.ndarray, targets: mx.array, kept: int | None) -> None:
    other = perturbed(logits, 0.3)
    targets = mx.minimum(targets, VOCABULARY - 6)
    for x in (logits, other):
        x[:, -5:] = -np.inf
    found = divergence(predictions(mx.array(logits), targets, kept), mx.array(other), targets)
    assert np.isfinite(found.kl).all()
    assert (found.kl <= float64_kl(logits[:, :-5], other[:, :-5]) * (1 + 1e-3)).all()


def test_losses_and_agreement_are_those_of_the_candidate(logits: np.ndarray, targets: mx.array) -> None:
    other = perturbed(logits, 2.0)
    found = divergence(predictions(mx.array(logits), targets, None), mx.array(other), targets)
    normal = other - np.logaddexp.reduce(other.astype(np.float64), -1)[:, None]
    np.testing.assert_allclose(found.losses, -normal[np.arange(POSITIONS), np.array(targets)], rtol=1e-5)
    np.testing.assert_array_equal(found.agrees, logits.argmax(-1) == other.argmax(-1))
    assert 0 < found.agrees.mean() < 1


@pytest.mark.parametrize("kept", [None, 20])
def test_pieces_joined_are_the_whole(logits: np.ndarray, targets: mx.array, kept: int | None) -> None:
    whole = predictions(mx.array(logits), targets, kept)
    halves = [
        predictions(mx.array(logits[rows]), targets[rows], kept) for rows in (slice(0, 15), slice(15, None))
    ]
    other = mx.array(perturbed(logits, 0.1))
    np.testing.assert_array_equal(
        divergence(joined(halves), other, targets).kl, divergence(whole, other, targets).kl
    )
    part = slice(7, 23)
    np.testing.assert_allclose(
        divergence(whole.at(part), other[part], targets[part]).kl,
        divergence(whole, other, targets).kl[part],
        rtol=1e-6,
    )
