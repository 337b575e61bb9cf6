"""Caches grow without waste, forget what is trimmed, branch without copying, and count their bytes."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.cache import KVCache, KVFormat, QuantizedKVCache
from qwen2_mlx.cache.growth import GROWTH_SHARE, STEP
from qwen2_mlx.cache.remember import remember
from qwen2_mlx.errors import ConfigError

HEADS, HEAD_DIM = 2, 64

MAKERS: dict[str, Callable[[], Any]] = {
    "model's type": KVCache,
    "16": lambda: KVCache(half=True),
    "8": lambda: QuantizedKVCache(KVFormat(8, 8), HEAD_DIM),
    "8/4": lambda: QuantizedKVCache(KVFormat(8, 4), HEAD_DIM),
}
#: Bytes of a token: keys and values of two heads; quantised, 2 x 2 bytes more a group of 64.
BYTES = {"model's type": 1024, "16": 512, "8": 2 * 2 * (64 + 4), "8/4": 2 * (64 + 4) + 2 * (32 + 4)}


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def tokens(count: int, seed: int) -> mx.array:
    return mx.random.normal((1, HEADS, count, HEAD_DIM), key=mx.random.key(seed))


def append(cache: Any, count: int, seed: int) -> None:
    remember(cache, tokens(count, seed), tokens(count, seed + 1000))
    mx.eval(cache.state)


def contents(cache: Any) -> dict[str, list]:
    return {name: tensor.tolist() for name, tensor in cache.tensors().items()}


def test_pieces_of_any_size_hold_what_one_piece_holds(kind: str) -> None:
    whole, pieces = MAKERS[kind](), MAKERS[kind]()
    keys, values = tokens(700, 1), tokens(700, 2)
    remember(whole, keys, values)
    for start, stop in [(0, 1), (1, 300), (300, 301), (301, 700)]:
        remember(pieces, keys[:, :, start:stop], values[:, :, start:stop])
    assert pieces.offset == whole.offset == 700
    assert contents(pieces) == contents(whole)


def test_bytes_are_those_of_the_tokens_there_is_room_for(kind: str) -> None:
    cache = MAKERS[kind]()
    assert cache.nbytes == 0
    append(cache, 10, 1)
    assert cache.nbytes == STEP * BYTES[kind]
    append(cache, STEP, 2)
    assert cache.nbytes == 2 * STEP * BYTES[kind]


def test_bytes_are_what_the_allocator_hands_out(kind: str) -> None:
    cache = MAKERS[kind]()
    mx.clear_cache()
    before = mx.get_active_memory()
    append(cache, 1024, 1)
    mx.clear_cache()
    assert mx.get_active_memory() - before == pytest.approx(cache.nbytes, abs=64 * 1024)


def test_reserved_room_is_taken_once(kind: str) -> None:
    cache = MAKERS[kind]()
    cache.reserve(3000)
    append(cache, 5, 1)
    assert cache.nbytes == -(-3000 // STEP) * STEP * BYTES[kind]
    taken = cache.nbytes
    append(cache, 2995, 2)
    assert cache.nbytes == taken


def test_growth_copies_the_cache_a_bounded_number_of_times(kind: str) -> None:
    """Fed token groups, a cache of 100,000 tokens is copied not 390 times but a few dozen."""
    cache, grown, last = MAKERS[kind](), 0, 0
    while cache.offset < 100_000:
        remember(cache, mx.zeros((1, 1, 250, HEAD_DIM)), mx.zeros((1, 1, 250, HEAD_DIM)))
        grown += cache.nbytes != last
        last = cache.nbytes
    assert grown < 60
    needed = 100_000 / 2 * BYTES[kind]
    assert needed <= cache.nbytes <= needed * (1 + 1 / GROWTH_SHARE) + STEP * BYTES[kind]


def test_trimmed_tokens_are_gone_and_others_take_their_place(kind: str) -> None:
    cache, other = MAKERS[kind](), MAKERS[kind]()
    append(cache, 300, 1)
    kept = contents(cache)
    append(cache, 50, 2)
    assert cache.trim(50) == 50
    assert contents(cache) == kept
    append(cache, 20, 3)
    append(other, 300, 1)
    append(other, 20, 3)
    assert contents(cache) == contents(other)
    assert cache.trim(1000) == 320
    assert cache.offset == 0


def test_a_branch_and_its_origin_do_not_see_each_others_tokens(kind: str) -> None:
    origin = MAKERS[kind]()
    append(origin, 100, 1)
    before = contents(origin)
    branch = origin.branch()
    append(branch, 20, 2)
    assert contents(origin) == before
    grown = contents(branch)
    append(origin, 20, 3)
    assert contents(branch) == grown
    assert contents(origin) != grown


def test_a_branch_takes_no_memory_until_it_is_written_to(kind: str) -> None:
    origin = MAKERS[kind]()
    append(origin, 5000, 1)
    mx.clear_cache()
    before = mx.get_active_memory()
    branch = origin.branch()
    mx.eval(branch.state)
    assert mx.get_active_memory() - before < 0.01 * origin.nbytes
    append(branch, 1, 2)
    mx.clear_cache()
    assert mx.get_active_memory() - before == pytest.approx(origin.nbytes, rel=0.05)


def test_appending_writes_in_place(kind: str) -> None:
    cache = MAKERS[kind]()
    cache.reserve(20_000)
    append(cache, 10_000, 1)
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    append(cache, 1, 2)
    assert mx.get_peak_memory() - before < 0.05 * cache.nbytes


def test_what_was_taken_out_can_be_put_back_and_continued(kind: str) -> None:
    first, second = MAKERS[kind](), MAKERS[kind]()
    append(first, 77, 1)
    second.restore(first.tensors())
    assert second.offset == 77
    for cache in (first, second):
        append(cache, 30, 2)
    assert contents(first) == contents(second)


def test_formats_are_named_by_their_bits() -> None:
    assert [str(KVFormat.parse(text)) for text in ("16", "8", "8/4")] == ["16", "8", "8/4"]
    with pytest.raises(ValueError, match="choose one of 16, 8, 8/4"):
        KVFormat.parse("4")  # 4-bit keys are refused


def test_a_head_size_without_a_group_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="head size 80"):
        QuantizedKVCache(KVFormat(8, 8), 80)
