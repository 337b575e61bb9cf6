"""config.json in both dialects, and one clear line for what cannot be computed."""

from typing import Any

import pytest

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import ConfigError
from qwen2_mlx.models import build

CLASSIC: dict[str, Any] = {
    "model_type": "qwen2",
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "eos_token_id": 7,
}
MODERN: dict[str, Any] = {
    key: value for key, value in CLASSIC.items() if key not in ("rope_theta", "rope_scaling", "torch_dtype")
} | {
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 1000000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
    },
    "dtype": "bfloat16",
    "layer_types": ["full_attention", "full_attention"],
}
MOE: dict[str, Any] = CLASSIC | {
    "model_type": "qwen2_moe",
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 48,
    "norm_topk_prob": False,
}
BASES = {"classic": CLASSIC, "modern": MODERN, "moe": MOE}


def without(raw: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in keys}


def yarn(**settings: Any) -> dict[str, Any]:
    """The classic config with YaRN settings added; None takes one away."""
    merged = CLASSIC["rope_scaling"] | settings
    return CLASSIC | {"rope_scaling": {key: value for key, value in merged.items() if value is not None}}


def error_line(raw: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        ModelConfig.from_dict(raw)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_both_dialects_give_the_same_config() -> None:
    assert ModelConfig.from_dict(MODERN) == ModelConfig.from_dict(CLASSIC)


def test_both_dialects_may_stand_side_by_side_when_they_agree() -> None:
    assert ModelConfig.from_dict(CLASSIC | MODERN) == ModelConfig.from_dict(CLASSIC)


@pytest.mark.parametrize("spelling", ["type", "rope_type"])
def test_yarn_settings_arrive_under_either_spelling(spelling: str) -> None:
    settings = {
        spelling: "yarn",
        "factor": 2.0,
        "original_max_position_embeddings": 1024,
        "beta_fast": 16,
        "beta_slow": 2,
        "truncate": False,
        "attention_factor": 1.5,
        "mscale": 0.5,
        "mscale_all_dim": 0.25,
    }
    read = ModelConfig.from_dict(CLASSIC | {"rope_scaling": settings}).rope.yarn
    assert read is not None
    assert {key: getattr(read, key) for key in settings if key != spelling} == {
        key: value for key, value in settings.items() if key != spelling
    }


def test_every_size_reaches_its_own_field() -> None:
    config = ModelConfig.from_dict(MOE | {"head_dim": 24, "decoder_sparse_step": 2, "mlp_only_layers": [1]})
    assert (config.vocab_size, config.hidden_size, config.intermediate_size) == (96, 64, 80)
    assert (config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads) == (2, 4, 2)
    assert (config.head_dim, config.max_position_embeddings, config.rms_norm_eps) == (24, 32768, 1e-6)
    assert (config.model_type, config.tie_word_embeddings, config.dtype) == ("qwen2_moe", True, "bfloat16")
    assert config.eos_token_ids == (7,)
    moe = config.moe
    assert moe is not None
    assert (moe.num_experts, moe.num_experts_per_tok, moe.norm_topk_prob) == (8, 2, False)
    assert (moe.moe_intermediate_size, moe.shared_expert_intermediate_size) == (24, 48)
    assert (moe.decoder_sparse_step, moe.mlp_only_layers) == (2, (1,))


def test_sparse_layers_follow_step_and_exceptions() -> None:
    read = ModelConfig.from_dict(
        MOE | {"num_hidden_layers": 6, "decoder_sparse_step": 2, "mlp_only_layers": [3]}
    )
    assert read.moe is not None
    assert [read.moe.is_sparse(layer) for layer in range(6)] == [False, True, False, False, False, True]


def test_missing_optional_keys_mean_what_they_mean_to_transformers() -> None:
    """Untied, base 1e4, no YaRN: the class defaults there, which official files never rely on."""
    read = ModelConfig.from_dict(
        without(CLASSIC, "tie_word_embeddings", "rope_theta", "rope_scaling", "head_dim")
    )
    assert (read.tie_word_embeddings, read.rope.theta, read.rope.yarn, read.head_dim) == (
        False,
        10000.0,
        None,
        16,
    )


def test_harmless_unknown_keys_are_ignored() -> None:
    harmless = {
        "_name_or_path": "somewhere",
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "max_window_layers": 1,
        "sliding_window": 4096,
        "transformers_version": "4.41.2",
        "use_cache": True,
        "router_aux_loss_coef": 0.001,
        "a_key_from_the_future": [1, {"x": None}],
    }
    assert ModelConfig.from_dict(CLASSIC | harmless) == ModelConfig.from_dict(CLASSIC)


def test_a_window_that_starts_after_the_last_layer_is_harmless() -> None:
    inert = {"use_sliding_window": True, "sliding_window": 512, "max_window_layers": 2}
    assert ModelConfig.from_dict(CLASSIC | inert) == ModelConfig.from_dict(CLASSIC)
    assert "use_sliding_window" in error_line(CLASSIC | inert | {"max_window_layers": 1})


def test_dual_chunk_settings_are_read() -> None:
    settings = {"chunk_size": 262144, "local_size": 8192, "original_max_position_embeddings": 262144}
    read = ModelConfig.from_dict(CLASSIC | {"dual_chunk_attention_config": settings}).dual_chunk
    assert read is not None
    assert (read.chunk_size, read.local_size, read.original_max_position_embeddings) == (262144, 8192, 262144)


# --- Which positions are used
# ------------------------------------------------------------------------------------------------

ONE_MILLION = {
    "max_position_embeddings": 1010000,
    "dual_chunk_attention_config": {
        "chunk_size": 262144,
        "local_size": 8192,
        "original_max_position_embeddings": 262144,
    },
}
FACTOR_4 = {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}
PLAIN = without(CLASSIC, "rope_scaling")


@pytest.mark.parametrize(
    ("changes", "mode", "used", "trained", "context"),
    [
        ({}, "auto", "dca", 32768, 1048576),
        ({}, "plain", "plain", 32768, 32768),
        ({}, "yarn", "yarn", 32768, 131072),
        ({"max_position_embeddings": 131072}, "auto", "dca", 32768, 1048576),
        ({"max_position_embeddings": 4096}, "auto", "dca", 4096, 131072),
        (FACTOR_4, "auto", "yarn", 32768, 131072),
        (FACTOR_4, "dca", "dca", 32768, 1048576),
        (FACTOR_4, "plain", "plain", 32768, 32768),
        (ONE_MILLION, "auto", "dca", 262144, 1010000),
        (ONE_MILLION, "plain", "plain", 262144, 262144),
        (ONE_MILLION | FACTOR_4, "auto", "dca", 262144, 1010000),
        (ONE_MILLION | FACTOR_4, "yarn", "yarn", 262144, 131072),
    ],
)
def test_each_mode_serves_the_lengths_it_is_made_for(
    changes: dict[str, Any], mode: str, used: str, trained: int, context: int
) -> None:
    config = ModelConfig.from_dict(PLAIN | {"max_position_embeddings": 32768} | changes).with_rope(mode)
    assert (config.rope_mode, config.trained_length, config.context_length) == (used, trained, context)
    assert (config.rope.yarn is not None, config.dual_chunk is not None) == (used == "yarn", used == "dca")


def test_dual_chunks_that_no_config_describes_span_the_trained_length() -> None:
    chunks = ModelConfig.from_dict(PLAIN | {"max_position_embeddings": 131072}).with_rope("auto").dual_chunk
    assert chunks is not None
    assert (chunks.chunk_size, chunks.local_size, chunks.chunk_length) == (32768, 1024, 31744)
    assert (chunks.original_max_position_embeddings, chunks.length_factor) == (32768, "prompt")


@pytest.mark.parametrize(
    ("changes", "mode", "proven"),
    [
        ({"hidden_size": 896}, "auto", 32768),
        ({"hidden_size": 3584}, "auto", 131072),
        ({"hidden_size": 3584}, "yarn", 131072),
        ({"hidden_size": 3584}, "plain", 32768),
        ({"hidden_size": 3584} | ONE_MILLION, "auto", 1010000),
        ({"hidden_size": 896} | ONE_MILLION, "auto", 1010000),
    ],
)
def test_proven_lengths_follow_the_published_results(changes: dict[str, Any], mode: str, proven: int) -> None:
    config = ModelConfig.from_dict(PLAIN | {"max_position_embeddings": 32768} | changes)
    assert config.with_rope(mode).proven_length == proven


def test_a_mixture_of_experts_is_proven_to_twice_its_length() -> None:
    config = ModelConfig.from_dict(MOE | {"max_position_embeddings": 32768, "rope_scaling": None})
    assert config.with_rope("auto").proven_length == 65536


@pytest.mark.parametrize("arguments", [("linear",), ("dca", "squared")])
def test_an_unknown_mode_is_refused_with_the_choices(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"is unknown; choose one of \w+, \w+"):
        ModelConfig.from_dict(CLASSIC).with_rope(*arguments)


# --- What is refused
# ------------------------------------------------------------------------------------------------

REFUSED = {
    "foreign architecture": (
        CLASSIC | {"model_type": "llama"},
        ("model_type", "llama", "qwen2", "qwen2_moe"),
    ),
    "no architecture": (without(CLASSIC, "model_type"), ("model_type", "qwen2", "qwen2_moe")),
    "sliding window on": (CLASSIC | {"use_sliding_window": True}, ("use_sliding_window", "false")),
    "sliding layers": (
        CLASSIC | {"layer_types": ["full_attention", "sliding_attention"]},
        ("layer_types", "sliding_attention", "full_attention"),
    ),
    "another activation": (CLASSIC | {"hidden_act": "gelu"}, ("hidden_act", "gelu", "silu")),
    "no q/k/v biases": (CLASSIC | {"qkv_bias": False}, ("qkv_bias", "True")),
    "unknown rope type": (yarn(type="longrope"), ("rope", "longrope", "default", "yarn")),
    "unknown rope type in the newer dialect": (
        MODERN | {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
        ("rope", "llama3", "default", "yarn"),
    ),
    "rope factor without a type": (yarn(type=None), ("rope", "type", "default", "yarn")),
    "unknown yarn setting": (yarn(short_factor=[1.0]), ("short_factor", "factor")),
    "yarn without its original length": (
        yarn(original_max_position_embeddings=None),
        ("original_max_position_embeddings", "32768"),
    ),
    "yarn without a factor": (yarn(factor=None), ("factor",)),
    "yarn that shrinks": (yarn(factor=0.5), ("factor", "0.5", "1")),
    "theta disagrees": (
        CLASSIC | {"rope_parameters": MODERN["rope_parameters"] | {"rope_theta": 5e5}},
        ("rope_theta",),
    ),
    "factor disagrees": (
        CLASSIC | {"rope_parameters": MODERN["rope_parameters"] | {"factor": 2.0}},
        ("factor",),
    ),
    "types disagree between dialects": (
        CLASSIC | {"rope_parameters": {"rope_type": "default"}},
        ("rope_type",),
    ),
    "types disagree, newer last": (yarn(rope_type="default"), ("type", "rope_type")),
    "types disagree, older last": (
        CLASSIC | {"rope_scaling": {"rope_type": "default"} | CLASSIC["rope_scaling"]},
        ("type", "rope_type"),
    ),
    "number types disagree": (CLASSIC | {"dtype": "float16"}, ("dtype", "torch_dtype")),
    "heads do not divide the width": (
        CLASSIC | {"num_attention_heads": 6},
        ("hidden_size", "num_attention_heads"),
    ),
    "key/value heads do not divide the heads": (
        CLASSIC | {"num_key_value_heads": 3},
        ("num_attention_heads", "num_key_value_heads"),
    ),
    "odd head dimension": (CLASSIC | {"head_dim": 15}, ("head_dim", "15", "even")),
    "more experts chosen than there are": (
        MOE | {"num_experts_per_tok": 9},
        ("num_experts_per_tok", "num_experts"),
    ),
    "chunk no longer than its window": (
        CLASSIC | {"dual_chunk_attention_config": {"chunk_size": 512, "local_size": 512}},
        ("local_size", "chunk_size"),
    ),
    "original length of chunks in words": (
        CLASSIC | {"dual_chunk_attention_config": {"original_max_position_embeddings": "32k"}},
        ("original_max_position_embeddings", "32k", "positive whole number"),
    ),
    "rope settings that are no object": (
        CLASSIC | {"rope_scaling": "yarn"},
        ("rope_scaling", "yarn", "object"),
    ),
    "partly rotated heads": (CLASSIC | {"partial_rotary_factor": 0.5}, ("partial_rotary_factor", "0.5", "1")),
    "partly rotated heads in the newer dialect": (
        without(MODERN, "rope_parameters")
        | {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
        ("partial_rotary_factor", "0.5", "1"),
    ),
    "base of one": (CLASSIC | {"rope_theta": 1.0}, ("rope_theta", "1")),
    "foreign quantisation": (
        CLASSIC | {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}},
        ("quantization_config", "gptq", "MLX"),
    ),
    "eps of zero": (CLASSIC | {"rms_norm_eps": 0}, ("rms_norm_eps", "positive")),
    "tied or not, in words": (
        CLASSIC | {"tie_word_embeddings": "yes"},
        ("tie_word_embeddings", "true or false"),
    ),
    "dense layers that are no layer numbers": (
        MOE | {"mlp_only_layers": ["first"]},
        ("mlp_only_layers", "first"),
    ),
    "not an object": ([1, 2], ("config.json",)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refusal_is_one_line_that_names_the_key_and_what_is_supported(why: str) -> None:
    raw, words = REFUSED[why]
    message = error_line(raw)
    assert [word for word in words if word not in message] == []


DENSE_SIZES = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
]
MOE_SIZES = ["num_experts", "num_experts_per_tok", "moe_intermediate_size", "shared_expert_intermediate_size"]


@pytest.mark.parametrize("key", DENSE_SIZES + MOE_SIZES)
def test_a_missing_size_is_named(key: str) -> None:
    assert key in error_line(without(MOE, key))


@pytest.mark.parametrize(
    "key", [*DENSE_SIZES, *MOE_SIZES, "head_dim", "max_position_embeddings", "decoder_sparse_step"]
)
@pytest.mark.parametrize("value", [0, -4, 4.0, 2.5, "4", True, [4], float("nan")])
def test_a_size_that_is_not_a_positive_whole_number_is_named(key: str, value: object) -> None:
    message = error_line(MOE | {key: value})
    assert key in message
    assert "positive whole number" in message


JUNK = [
    None,
    True,
    False,
    0,
    1,
    -1,
    3.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    [1],
    ["x"],
    [[1]],
    {},
    {"x": 1},
]


GROUPS = {
    "rope_scaling": ["type", "rope_type", "factor", "original_max_position_embeddings", "truncate", "mscale"],
    "rope_parameters": [
        "rope_type",
        "rope_theta",
        "factor",
        "attention_factor",
        "beta_fast",
        "partial_rotary_factor",
    ],
    "dual_chunk_attention_config": ["chunk_size", "local_size", "original_max_position_embeddings"],
    "quantization": ["bits", "group_size", "mode"],
}
NOT_IN_BASES = [
    "head_dim",
    "mlp_only_layers",
    "decoder_sparse_step",
    "max_window_layers",
    "qkv_bias",
    "quantization_config",
]


@pytest.mark.parametrize("base", BASES)
def test_junk_in_any_key_is_read_or_refused_but_never_a_crash(base: str) -> None:
    """Anything but `ConfigError` would reach the user as a traceback."""
    raw = BASES[base]
    damaged = [(key, raw | {key: junk}) for key in {*raw, *GROUPS, *NOT_IN_BASES} for junk in JUNK]
    damaged += [(key, changed | {"use_sliding_window": True}) for key, changed in damaged]
    for group, keys in GROUPS.items():
        inside = raw.get(group, {})
        damaged += [(f"{group}.{key}", raw | {group: inside | {key: junk}}) for key in keys for junk in JUNK]
    assert {key: crash for key, changed in damaged if (crash := _crash(changed))} == {}


def _crash(raw: dict[str, Any]) -> str | None:
    try:
        build(ModelConfig.from_dict(raw))
    except ConfigError:
        return None
    except Exception as error:  # noqa: BLE001 - the test reports every kind
        return f"{type(error).__name__}: {error}"
    return None
