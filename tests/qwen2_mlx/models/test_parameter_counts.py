"""The official sizes, built from their configs, have the published parameter counts."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build

COMMON = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "torch_dtype": "bfloat16"}


def official(model_type: str, **sizes: Any) -> dict[str, Any]:
    return {
        "model_type": model_type,
        **COMMON,
        "max_position_embeddings": 32768,
        "use_sliding_window": False,
        **sizes,
    }


OFFICIAL = {
    "0.5B": official(
        "qwen2",
        hidden_size=896,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        intermediate_size=4864,
        vocab_size=151936,
        tie_word_embeddings=True,
    ),
    "1.5B": official(
        "qwen2",
        hidden_size=1536,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        intermediate_size=8960,
        vocab_size=151936,
        tie_word_embeddings=True,
    ),
    "7B": official(
        "qwen2",
        hidden_size=3584,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        intermediate_size=18944,
        vocab_size=152064,
        tie_word_embeddings=False,
    ),
    "72B": official(
        "qwen2",
        hidden_size=8192,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        intermediate_size=29568,
        vocab_size=152064,
        tie_word_embeddings=False,
    ),
    "57B-A14B": official(
        "qwen2_moe",
        hidden_size=3584,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        intermediate_size=18944,
        vocab_size=151936,
        tie_word_embeddings=False,
        num_experts=64,
        num_experts_per_tok=8,
        moe_intermediate_size=2560,
        shared_expert_intermediate_size=20480,
        norm_topk_prob=False,
        decoder_sparse_step=1,
    ),
}
PARAMETERS = {
    "0.5B": 494_032_768,
    "1.5B": 1_543_714_304,
    "7B": 7_615_616_512,
    "72B": 72_706_203_648,
    "57B-A14B": 57_408_658_944,
}
ONE_MIB = 2**20


def count_parameters(raw: dict[str, Any]) -> int:
    """Parameters of the built model, from shapes alone; fails if building it allocated weights."""
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = build(ModelConfig.from_dict(raw))
    arrays: list[Any] = [array for _, array in tree_flatten(model.parameters())]
    count = sum(array.size for array in arrays)
    assert mx.get_active_memory() - before < ONE_MIB
    assert mx.get_peak_memory() - before < ONE_MIB
    return count


@pytest.mark.parametrize("size", OFFICIAL)
def test_official_sizes_have_the_published_parameter_counts_without_allocating_weights(size: str) -> None:
    assert count_parameters(OFFICIAL[size]) == PARAMETERS[size]


def test_every_published_config_parses_and_has_its_parameter_count(shared_data: Path) -> None:
    files = sorted((shared_data / "configs").glob("*.json"))
    assert files
    for file in files:
        size = (
            file.stem.removeprefix("Qwen2.5-")
            .removeprefix("Qwen2-")
            .removesuffix("-1M")
            .removesuffix("-Instruct")
        )
        assert count_parameters(json.loads(file.read_text())) == PARAMETERS[size], file.name


def test_the_shapes_in_this_file_are_those_of_the_published_configs(shared_data: Path) -> None:
    for size, raw in OFFICIAL.items():
        published = json.loads((shared_data / "configs" / f"Qwen2-{size}-Instruct.json").read_text())
        assert {key: published[key] for key in raw} == raw
