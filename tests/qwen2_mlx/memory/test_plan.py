"""The best setting that fits is taken, and what does not fit is refused with what would."""

import re
from dataclasses import replace

import mlx.core as mx
import pytest

from qwen2_mlx.cache import KVFormat
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import ConfigError
from qwen2_mlx.memory import limit as limits
from qwen2_mlx.memory.plan import (
    KV_FORMATS,
    PREFILL_STEPS,
    MemoryLimitError,
    choose,
    compute_of,
    cpu,
    longest,
    metal,
    predict,
    weight_bytes,
)
from qwen2_mlx.models import build

RAW = {
    "model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944,
    "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-6,
    "rope_theta": 1e6, "tie_word_embeddings": False, "max_position_embeddings": 32768,
}  # fmt: skip
CONFIG = ModelConfig.from_dict(RAW).with_rope("auto")
WEIGHTS, CONTEXT = 4_284_263_424, 131072
EIGHT, EIGHT_FOUR = KVFormat(8, 8), KVFormat(8, 4)


def total(kv: KVFormat | None, step: int, context: int = CONTEXT) -> int:
    return predict(CONFIG, metal(), WEIGHTS, context, kv, step).total


def test_ample_memory_gives_the_exact_cache_and_the_fastest_prefill() -> None:
    plan = choose(CONFIG, metal(), WEIGHTS, CONTEXT, 10**12)
    assert (plan.kv, plan.prefill_step) == (None, PREFILL_STEPS[0])


def test_smaller_pieces_come_before_a_smaller_cache() -> None:
    plan = choose(CONFIG, metal(), WEIGHTS, CONTEXT, total(None, 512))
    assert (plan.kv, plan.prefill_step) == (None, 512)


@pytest.mark.parametrize(("kv", "before"), [(EIGHT, None), (EIGHT_FOUR, EIGHT)])
def test_a_smaller_cache_is_taken_when_no_piece_is_small_enough(
    kv: KVFormat, before: KVFormat | None
) -> None:
    least = min(total(before, step) for step in PREFILL_STEPS)
    plan = choose(CONFIG, metal(), WEIGHTS, CONTEXT, least - 1)
    assert (plan.kv, plan.prefill_step) == (kv, PREFILL_STEPS[0])


def test_what_fits_exactly_is_taken() -> None:
    limit = min(total(EIGHT_FOUR, step) for step in PREFILL_STEPS)
    assert choose(CONFIG, metal(), WEIGHTS, CONTEXT, limit).total == limit
    with pytest.raises(MemoryLimitError):
        choose(CONFIG, metal(), WEIGHTS, CONTEXT, limit - 1)


def test_a_refusal_names_the_numbers_and_a_length_that_fits() -> None:
    with pytest.raises(MemoryLimitError) as refusal:
        choose(CONFIG, metal(), WEIGHTS, CONTEXT, 6 * 10**9)
    message = str(refusal.value)
    assert all(part in message for part in ("131,072", "weights 4.3 GB", "6.0 GB", "--kv-bits 8/4"))
    found = re.search(r"at most ([\d,]+) tokens", message)
    assert found
    tokens = int(found[1].replace(",", ""))
    assert choose(CONFIG, metal(), WEIGHTS, tokens, 6 * 10**9).kv == EIGHT_FOUR
    with pytest.raises(MemoryLimitError):
        choose(CONFIG, metal(), WEIGHTS, tokens + 512, 6 * 10**9)


def test_a_refused_format_is_told_that_another_fits() -> None:
    with pytest.raises(MemoryLimitError, match="--kv-bits 8/4"):
        choose(CONFIG, metal(), WEIGHTS, CONTEXT, total(EIGHT, 2048), [KVFormat(16, 16)])


def test_weights_alone_beyond_the_limit_ask_for_a_smaller_model() -> None:
    with pytest.raises(MemoryLimitError, match="smaller model"):
        choose(CONFIG, metal(), WEIGHTS, 10, WEIGHTS)


def test_auto_skips_formats_that_heads_do_not_allow() -> None:
    odd = replace(CONFIG, head_dim=48)
    assert choose(odd, cpu(), 0, 1000, 10**12).kv is None
    with pytest.raises(MemoryLimitError, match=r"tokens fit$"):
        choose(odd, cpu(), 0, CONTEXT, 2 * 10**9)
    with pytest.raises(ConfigError, match="16 bits"):
        choose(odd, cpu(), 0, 1000, 10**12, [EIGHT])


def test_the_longest_text_grows_with_the_limit_and_ends_with_the_positions() -> None:
    lengths = [longest(CONFIG, metal(), WEIGHTS, limit * 10**9) for limit in (4, 5, 8, 16, 1000)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, CONFIG.context_length)


@pytest.mark.parametrize("kv", KV_FORMATS)
def test_published_cache_sizes_of_7b_in_half_precision(kv: KVFormat | None) -> None:
    bits = {None: 32, EIGHT: 17, EIGHT_FOUR: 13}[kv]  # of a key and a value number together, scales included
    per_token = 28 * 4 * 128 * bits // 8
    assert predict(CONFIG, metal(), 0, CONTEXT, kv).cache == per_token * (CONTEXT + 256)


def test_a_plan_allocates_nothing_and_leaves_mlx_limits_alone() -> None:
    before = mx.get_memory_limit()
    mx.reset_peak_memory()
    active = mx.get_active_memory()
    choose(CONFIG, metal(), WEIGHTS, CONTEXT, 10**12)
    assert mx.get_peak_memory() - active < 2**20
    assert mx.get_memory_limit() == before


def test_a_loaded_model_says_how_it_computes() -> None:
    model = build(ModelConfig.from_dict({**RAW, "hidden_size": 64, "num_attention_heads": 1, "vocab_size": 10,
                                         "num_key_value_heads": 1, "intermediate_size": 8}))  # fmt: skip
    model.set_dtype(mx.float16)
    assert compute_of(model).itemsize == 2
    assert weight_bytes(model) == 2 * sum(size for _, size in parameter_sizes(model))


def parameter_sizes(model: object) -> list[tuple[str, int]]:
    from mlx.utils import tree_flatten

    return [(name, array.size) for name, array in tree_flatten(model.parameters())]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "count"),
    [("32GB", 32 * 10**9), ("1.5 gb", 1_500_000_000), ("800M", 8 * 10**8), ("2GiB", 2**31), ("4096", 4096),
     ("1kib", 1024)],
)  # fmt: skip
def test_sizes_are_read(text: str, count: int) -> None:
    assert limits.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "1XB", "1e9", "12 34"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        limits.parse_size(text)


def test_metals_recommendation_is_the_limit_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "device_info", lambda: {"max_recommended_working_set_size": 48 * 10**9})
    assert limits.memory_limit() == 48 * 10**9


def test_other_machines_offer_a_share_of_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "device_info", lambda: {"device_name": "some processor"})
    monkeypatch.setattr(limits.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10**6}.get)
    assert limits.memory_limit() == int(0.75 * 4096 * 10**6)
