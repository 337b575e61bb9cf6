"""The long-context benchmark runs every cache it names; its numbers are never tested."""

import pytest

from benchmarks import long_context


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_context, "_CACHE_HEAVY", long_context._CACHE_HEAVY | {"num_hidden_layers": 1})
    monkeypatch.setattr(long_context, "_TIMED", long_context._TIMED | {"num_hidden_layers": 1})
    monkeypatch.setattr(long_context, "_CHUNK", 64)


def test_every_cache_is_measured() -> None:
    peaks = long_context.memory(600)
    assert set(peaks) == {"ours 16", "ours 8", "ours 8/4", "mlx-lm 8", "mlx-lm 4"}
    assert min(peaks.values()) > 0


def test_dual_chunks_are_timed_beside_plain_positions() -> None:
    ratios = long_context.times(pairs=1)
    assert set(ratios) == {"prefill", "decode"}
    assert min(ratios.values()) > 0
