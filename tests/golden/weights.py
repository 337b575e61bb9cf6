"""Deterministic weights for the small models whose logits are kept as golden files.

The golden files hold no weights: the script that records them and the tests that replay them
both make the weights here, from a config and a seed. They must therefore come out the same bit
by bit on every machine and with every numpy. numpy promises that for the raw bits of PCG64 but
not for the methods of `Generator`, and IEEE 754 promises it for the square root but not for
`log` or `cos`; so each tensor is raw bits scaled to a uniform distribution.

Biases are far larger than the weights, as in the real family, where a key bias can be the
larger part of the key. A port that drops, reorders or mis-rotates them is then wrong by much
instead of by a little.
"""

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from zlib import crc32

import numpy as np

QUERY_KEY_BIAS_STD = 3.0
VALUE_BIAS_STD = 1.0
ROUTER_GAIN = 1.5


def make_weights(config: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint for `config` under their Hugging Face names, float32."""
    return {name: _tensor(name, shape, seed) for name, shape in tensor_shapes(config).items()}


def make_tokens(config: Mapping[str, Any], seed: int, batch: int, time: int) -> np.ndarray:
    """Token ids (batch, time), int32, from the same kind of stream as the weights."""
    raw = _raw_bits("tokens", batch * time, seed)
    return (raw % np.uint64(config["vocab_size"])).astype(np.int32).reshape(batch, time)


def digest(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names and bytes, so that a drifting generator is not mistaken for a wrong model."""
    total = sha256()
    for name in sorted(weights):
        total.update(name.encode())
        total.update(weights[name].astype("<f4").tobytes())
    return total.hexdigest()


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that a Hugging Face checkpoint of `config` holds; linear ones (out, in)."""
    vocab, hidden = config["vocab_size"], config["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocab, hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocab, hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        shapes |= _attention_shapes(f"{layer}.self_attn", config)
        shapes[f"{layer}.input_layernorm.weight"] = (hidden,)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (hidden,)
        if is_sparse_layer(config, index):
            shapes |= _moe_shapes(f"{layer}.mlp", config)
        else:
            shapes |= _mlp_shapes(f"{layer}.mlp", hidden, config["intermediate_size"])
    return shapes


def is_sparse_layer(config: Mapping[str, Any], index: int) -> bool:
    """Whether layer `index` (from 0) routes to experts."""
    if config["model_type"] != "qwen2_moe" or index in config.get("mlp_only_layers", ()):
        return False
    return (index + 1) % config.get("decoder_sparse_step", 1) == 0


def _attention_shapes(prefix: str, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, heads, kv_heads = (
        config["hidden_size"],
        config["num_attention_heads"],
        config["num_key_value_heads"],
    )
    head_dim = config.get("head_dim", hidden // heads)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, count in (("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)):
        shapes[f"{prefix}.{name}.weight"] = (count * head_dim, hidden)
        shapes[f"{prefix}.{name}.bias"] = (count * head_dim,)
    shapes[f"{prefix}.o_proj.weight"] = (hidden, heads * head_dim)
    return shapes


def _mlp_shapes(prefix: str, hidden: int, width: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}.gate_proj.weight": (width, hidden),
        f"{prefix}.up_proj.weight": (width, hidden),
        f"{prefix}.down_proj.weight": (hidden, width),
    }


def _moe_shapes(prefix: str, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, experts = config["hidden_size"], config["num_experts"]
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}.gate.weight": (experts, hidden),
        f"{prefix}.shared_expert_gate.weight": (1, hidden),
    }
    for expert in range(experts):
        shapes |= _mlp_shapes(f"{prefix}.experts.{expert}", hidden, config["moe_intermediate_size"])
    return shapes | _mlp_shapes(f"{prefix}.shared_expert", hidden, config["shared_expert_intermediate_size"])


def _tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    raw = _raw_bits(name, int(np.prod(shape)), seed)
    uniform = (raw >> np.uint64(11)) * 2.0**-53 - 0.5
    mean, std = _mean_and_std(name, shape)
    return (mean + std * math.sqrt(12) * uniform).astype(np.float32).reshape(shape)


def _mean_and_std(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    if name.endswith(("q_proj.bias", "k_proj.bias")):
        return 0.0, QUERY_KEY_BIAS_STD
    if name.endswith("v_proj.bias"):
        return 0.0, VALUE_BIAS_STD
    if name.endswith("norm.weight"):
        return 1.0, 0.2
    if name == "model.embed_tokens.weight":
        return 0.0, 0.5  # as the tied head it must not drown the layers in each token's logit for itself
    gain = ROUTER_GAIN if name.endswith("mlp.gate.weight") else 1.0
    return 0.0, gain / math.sqrt(shape[-1])


def _raw_bits(name: str, count: int, seed: int) -> np.ndarray:
    return np.random.PCG64([seed, crc32(name.encode())]).random_raw(count)
