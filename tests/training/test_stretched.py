"""Stretched rows attend as Dual Chunk Attention does in the long documents they stand for."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")

from training.stretched import DualChunk, attend, layout, skip  # noqa: E402

CONFIG = DualChunk(chunk_size=6, local_size=2, original_max_position_embeddings=6)
FREQUENCIES = torch.tensor([1.0, 0.3])


def rotated(x: Any, positions: Any) -> Any:
    """`x` (..., time, 4) turned to `positions` (..., time)."""
    angle = positions[..., None] * FREQUENCIES
    first, second = x.chunk(2, -1)
    parts = first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()
    return torch.cat(parts, -1)


def attended(places: list[int], filler: list[int], stretch: float, seed: int = 0) -> tuple[Any, Any]:
    """What `attend` makes of random states at `places`, (time, 4), and those states (3, time, 4)."""
    torch.manual_seed(seed)
    states = torch.randn(3, len(places), 4)
    where = layout(CONFIG, FREQUENCIES, torch.tensor([places]), torch.tensor([filler]), stretch)
    query, key = (rotated(x, where.positions[0])[None, None] for x in states[:2])
    out, _ = attend(torch.nn.Module(), query, key, states[2][None, None], None, scaling=0.5, layout=where)
    return out[0, :, 0], states


def relative(query: int, key: int) -> int:
    """The relative position of two places in the paper's terms, with chunks of four."""
    apart, offset = query // 4 - key // 4, query % 4
    return (offset, min(4 + offset, 6), 6)[min(apart, 2)] - key % 4


def expected(places: list[int], states: Any) -> Any:
    query, key, value = states
    rows = []
    for i, place in enumerate(places):
        turns = torch.tensor([relative(place, other) for other in places[: i + 1]])
        scores = (rotated(query[i].expand(i + 1, 4), turns) * key[: i + 1]).sum(-1) * 0.5
        rows.append(scores.softmax(-1) @ value[: i + 1])
    return torch.stack(rows)


@pytest.mark.parametrize("places", [list(range(12)), [0, 1, 2, 3, 9, 10, 11, 30, 31, 33, 34, 35]])
def test_every_pair_has_the_relative_position_of_its_places(places: list[int]) -> None:
    out, states = attended(places, [0] * len(places), stretch=1.0)
    torch.testing.assert_close(out, expected(places, states), atol=0.02, rtol=0)


def test_distant_filler_counts_as_often_as_it_was_left_out() -> None:
    """Four copies of the filler that stands three or more places back, by hand, against a stretch of four."""
    places = [0, 1, 2, 3, 4, 5]
    out, (query, key, value) = attended(places, [1, 1, 0, 0, 1, 0], stretch=4.0)
    turns = torch.tensor([relative(5, other) for other in places])
    scores = (rotated(query[5].expand(6, 4), turns) * key).sum(-1) * 0.5
    copies = torch.tensor([4.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    weights = scores.exp() * copies
    torch.testing.assert_close(out[5], weights @ value / weights.sum(), atol=0.02, rtol=0)
    assert (out[5] - scores.softmax(-1) @ value).abs().max() > 0.05  # one copy each is something else


def test_gaps_lie_in_filler_and_add_up() -> None:
    is_filler = [False] * 5 + [True] * 20 + [False] * 10 + [True] * 9 + [False] * 6
    for seed in range(200):
        places = skip(Random(seed), is_filler, missing=1000)
        steps = [after - before for before, after in pairwise(places)]
        gaps = [i for i, step in enumerate(steps) if step > 1]
        assert min(steps) == 1
        assert places[0] == 0
        assert places[-1] == len(is_filler) - 1 + 1000
        assert 1 <= len(gaps) <= 4
        assert all(is_filler[i] and is_filler[i + 1] for i in gaps)


def test_a_row_without_filler_stays_as_it_is() -> None:
    assert skip(Random(0), [False] * 7, missing=1000) == list(range(7))
