"""What the plan predicts is what MLX reports, over shapes, contexts, formats and prefill steps."""

from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.cache import KVFormat
from qwen2_mlx.cache.remember import announce, make_room, remember
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.generate import generate_tokens
from qwen2_mlx.memory.kv import cache_bytes
from qwen2_mlx.memory.plan import compute_of, predict, weight_bytes
from qwen2_mlx.models import Model, build
from qwen2_mlx.sampling import Sampling

BASE = {
    "model_type": "qwen2", "vocab_size": 8192, "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64,
    "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True, "max_position_embeddings": 32768,
}  # fmt: skip
SHAPES = {
    "base": {},
    "wide": {"hidden_size": 512, "intermediate_size": 1536, "tie_word_embeddings": False},
    "deep": {"num_hidden_layers": 8, "num_attention_heads": 4},
    "many heads": {"num_attention_heads": 16, "num_key_value_heads": 2, "num_hidden_layers": 3},
    "many heads, wide": {"num_attention_heads": 16, "num_key_value_heads": 2, "hidden_size": 512},
    "large heads": {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128},
    "vocabulary": {"vocab_size": 60000},
    "experts": {
        "model_type": "qwen2_moe", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 128,
        "shared_expert_intermediate_size": 512, "norm_topk_prob": False,
    },
}  # fmt: skip
CHUNKED = {"dual_chunk_attention_config": {
    "chunk_size": 1024, "local_size": 32, "original_max_position_embeddings": 1024,
}}  # fmt: skip
ANSWER = 3
FORMATS = (None, "16", "8", "8/4")

#: (shape, rope, format, prompt tokens, prefill step)
FEW = [
    ("base", "plain", None, 1000, 512),
    ("base", "plain", "8/4", 1000, 512),
    ("many heads", "dca", "8", 1500, 1500),
    ("experts", "plain", "16", 1000, 512),
    ("vocabulary", "plain", "8", 512, 128),
]
GRID = [
    *((shape, rope, kv, context, step) for shape in SHAPES for rope in ("plain", "dca") for kv in FORMATS
      for context, step in ((512, 128), (2048, 512), (2048, 2048), (4096, 1024))),
    *((shape, "plain", kv, 16384, step) for shape in ("deep", "large heads") for kv in FORMATS
      for step in (256, 2048)),
]  # fmt: skip


def model_of(shape: str, rope: str) -> Model:
    raw: dict[str, Any] = BASE | SHAPES[shape] | CHUNKED
    model = build(ModelConfig.from_dict(raw).with_rope(rope))
    mx.eval(model.parameters())
    model.fuse()
    mx.eval(model.parameters())
    return model


def peak_and_cache(model: Model, kv: KVFormat | None, context: int, step: int) -> tuple[int, int]:
    """Bytes that MLX reports while a prompt is read and answered, without what is not the model's."""
    mx.clear_cache()
    foreign = mx.get_active_memory() - weight_bytes(model)
    mx.reset_peak_memory()
    cache = model.make_cache(kv)
    prompt = [(7 * i) % 600 for i in range(context)]
    assert len(list(generate_tokens(model, prompt, cache, Sampling(), ANSWER, prefill_step=step))) == ANSWER
    return mx.get_peak_memory() - foreign, sum(layer.nbytes for layer in cache)


def check(shape: str, rope: str, kv_bits: str | None, context: int, step: int) -> None:
    model, kv = model_of(shape, rope), KVFormat.parse(kv_bits) if kv_bits else None
    peak_and_cache(model, kv, 256, 128)  # compiles the kernels, during which the queue would run empty
    measured, cache = peak_and_cache(model, kv, context, step)
    plan = predict(model.args, compute_of(model), weight_bytes(model), context + ANSWER, kv, step)
    assert plan.cache >= cache
    assert plan.total == pytest.approx(measured, rel=0.1), (plan, measured - plan.weights - cache)


@pytest.mark.parametrize(("shape", "rope", "kv", "context", "step"), FEW)
def test_prediction_is_within_a_tenth_of_the_measured_peak(
    shape: str, rope: str, kv: str | None, context: int, step: int
) -> None:
    check(shape, rope, kv, context, step)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "rope", "kv", "context", "step"), GRID)
def test_prediction_is_within_a_tenth_over_the_whole_grid(
    shape: str, rope: str, kv: str | None, context: int, step: int
) -> None:
    check(shape, rope, kv, context, step)


NARROW = ModelConfig.from_dict(
    BASE | {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 64,
            "vocab_size": 16, "intermediate_size": 8}
)  # fmt: skip


def append(cache: list[Any], count: int) -> int:
    """Gives all layers `count` tokens more and returns what they hold then, in bytes."""
    keys = mx.zeros((1, 1, count, NARROW.head_dim))
    for layer in cache:
        remember(layer, keys, keys)
    return sum(layer.nbytes for layer in cache)


@pytest.mark.parametrize("kv_bits", FORMATS)
@pytest.mark.parametrize("context", [1, 255, 256, 4095, 4097])
def test_predicted_caches_are_exact_to_the_byte(kv_bits: str | None, context: int) -> None:
    kv = KVFormat.parse(kv_bits) if kv_bits else None
    cache = build(NARROW).make_cache(kv)
    announce(cache, context)
    assert append(cache, context) == cache_bytes(NARROW, kv, 4, context)


@pytest.mark.parametrize("kv", [None, KVFormat(8, 4)])
def test_a_long_answer_stays_within_the_planned_cache(kv: KVFormat | None) -> None:
    prompt, answer = 20000, 600
    planned = cache_bytes(NARROW, kv, 4, prompt + answer)
    cache = build(NARROW).make_cache(kv)
    make_room(cache, prompt + answer)
    announce(cache, prompt)
    append(cache, prompt)
    assert append(cache, answer) <= planned

    grown = build(NARROW).make_cache(kv)
    announce(grown, prompt)
    append(grown, prompt)
    assert append(grown, answer) > planned
