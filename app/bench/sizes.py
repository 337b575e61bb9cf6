"""The shapes of the official Qwen2 instruct models, for questions that need no weights.

From their config.json, by alias; what is the same in all of them stands once.
"""

from typing import Any


def _config(
    hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int, vocab: int
) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": intermediate,
        "vocab_size": vocab,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
    }


_EXPERTS = {
    "model_type": "qwen2_moe",
    "num_experts": 64,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2560,
    "shared_expert_intermediate_size": 20480,
    "norm_topk_prob": False,
    "decoder_sparse_step": 1,
}

OFFICIAL: dict[str, dict[str, Any]] = {
    "0.5b": _config(896, 24, 14, 2, 4864, 151936) | {"tie_word_embeddings": True},
    "1.5b": _config(1536, 28, 12, 2, 8960, 151936) | {"tie_word_embeddings": True},
    "7b": _config(3584, 28, 28, 4, 18944, 152064),
    "57b-a14b": _config(3584, 28, 28, 4, 18944, 151936) | _EXPERTS,
    "72b": _config(8192, 80, 64, 8, 29568, 152064),
}
