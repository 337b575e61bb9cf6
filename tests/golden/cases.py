"""The small models whose logits are compared with transformers: one record per promise.

Every config is written as it would stand in a `config.json`. Prompts are longer than the
original length of the YaRN cases, and every key/value head serves several query heads.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One golden file: the model's config, the seed of its weights and tokens, the shape of its prompt."""

    name: str
    config: dict[str, Any]
    seed: int
    batch: int = 1
    time: int = 48


DENSE: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "torch_dtype": "float32",
}

MOE: dict[str, Any] = DENSE | {
    "architectures": ["Qwen2MoeForCausalLM"],
    "model_type": "qwen2_moe",
    "num_experts": 10,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 40,
    "shared_expert_intermediate_size": 72,
    "norm_topk_prob": False,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}

# With a head dimension of 32, base 1e4 and a trained length of 32, channels 1 and 2 lie inside YaRN's ramp.
YARN_SHAPE: dict[str, Any] = {"hidden_size": 128, "rope_theta": 10000.0}
YARN: dict[str, Any] = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def _without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in keys}


TRANSFORMERS_5_YARN: dict[str, Any] = _without(DENSE | YARN_SHAPE, "rope_theta", "torch_dtype") | {
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "dtype": "float32",
    "layer_types": ["full_attention"] * 3,
}

CASES: tuple[Case, ...] = (
    Case("dense_tied", DENSE | {"tie_word_embeddings": True}, seed=1),
    Case("dense_untied", DENSE, seed=2, batch=2),
    Case("dense_theta_1e4", DENSE | {"rope_theta": 10000.0}, seed=3),
    Case(
        "dense_seven_queries_per_kv",
        DENSE | {"hidden_size": 224, "num_attention_heads": 14, "num_hidden_layers": 2},
        seed=4,
    ),
    Case("dense_head_dim", DENSE | {"head_dim": 24}, seed=5),
    Case("yarn", DENSE | YARN_SHAPE | {"rope_scaling": YARN}, seed=6, batch=2, time=70),
    Case(
        "yarn_attention_factor",
        DENSE | YARN_SHAPE | {"rope_scaling": YARN | {"attention_factor": 0.8}},
        seed=7,
        time=70,
    ),
    Case(
        "yarn_mscale",
        DENSE | YARN_SHAPE | {"rope_scaling": YARN | {"mscale": 2.0, "mscale_all_dim": 0.5}},
        seed=8,
        time=70,
    ),
    Case(
        "yarn_no_truncate",
        DENSE | YARN_SHAPE | {"rope_scaling": YARN | {"truncate": False, "beta_fast": 2.0}},
        seed=9,
        time=70,
    ),
    Case("yarn_transformers_5", TRANSFORMERS_5_YARN | {"tie_word_embeddings": True}, seed=10, time=70),
    Case("moe", MOE, seed=11),
    Case("moe_renormalised", MOE | {"norm_topk_prob": True}, seed=12, batch=2),
    Case("moe_sparse_step_2", MOE | {"num_hidden_layers": 4, "decoder_sparse_step": 2}, seed=13),
    Case("moe_dense_layer_0", MOE | {"mlp_only_layers": [0]}, seed=14),
    Case("moe_yarn", MOE | YARN_SHAPE | {"rope_scaling": YARN | {"rope_type": "yarn"}}, seed=15, time=70),
)
