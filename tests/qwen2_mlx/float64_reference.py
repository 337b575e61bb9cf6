"""A dense Qwen2 with Dual Chunk Attention in float64, written from the formulas.

O(n^2) and without a cache: every pair of query and key is given its two positions, and
the scores are the products of the vectors rotated to them. Nothing of the engine is used.
Sources: arXiv 2402.17463 (section 3, with the clamp at chunk_size as in the authors' code),
arXiv 2501.15383 (section 5.1) for the temperature.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def logits(config: Mapping[str, Any], weights: Weights, tokens: np.ndarray, **positions: Any) -> np.ndarray:
    """Logits (time, vocab) of `tokens` (time,); `positions` as for `attention_scores`."""
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        part = _part(weights, f"model.layers.{layer}.")
        x = x + _attention(config, part, _norm(config, x, part["input_layernorm.weight"]), **positions)
        x = x + _mlp(part, _norm(config, x, part["post_attention_layernorm.weight"]))
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return _norm(config, x, weights["model.norm.weight"]) @ head.T


def _part(weights: Weights, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}


def _norm(config: Mapping[str, Any], x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + config["rms_norm_eps"]) * weight


def _mlp(part: Weights, x: np.ndarray) -> np.ndarray:
    gate = x @ part["mlp.gate_proj.weight"].T
    return (gate / (1 + np.exp(-gate)) * (x @ part["mlp.up_proj.weight"].T)) @ part["mlp.down_proj.weight"].T


def _attention(config: Mapping[str, Any], part: Weights, x: np.ndarray, **positions: Any) -> np.ndarray:
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    time, head_dim = len(x), config["hidden_size"] // heads

    def project(name: str, count: int) -> np.ndarray:
        projected = x @ part[f"self_attn.{name}.weight"].T + part[f"self_attn.{name}.bias"]
        return projected.reshape(time, count, head_dim).swapaxes(0, 1)

    queries = project("q_proj", heads)
    keys, values = (
        np.repeat(project(name, kv_heads), heads // kv_heads, axis=0) for name in ("k_proj", "v_proj")
    )
    scores = attention_scores(queries, keys, config["rope_theta"], **positions)
    scores = np.where(np.tril(np.ones((time, time), bool)), scores, -np.inf)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = scores / scores.sum(axis=-1, keepdims=True) @ values
    return mixed.swapaxes(0, 1).reshape(time, -1) @ part["self_attn.o_proj.weight"].T


def attention_scores(
    queries: np.ndarray,
    keys: np.ndarray,
    theta: float,
    *,
    chunk_size: int,
    local_size: int,
    trained_length: int,
    policy: str,
    prompt_length: int | None = None,
) -> np.ndarray:
    """Scaled scores (heads, time, time) of unrotated queries and keys (heads, time, head_dim)."""
    time, head_dim = queries.shape[1:]
    index = np.arange(time)
    chunk_length = chunk_size - local_size
    chunk, inside = index // chunk_length, index % chunk_length
    apart = chunk[:, None] - chunk[None]
    own = _turn(queries, inside, theta) @ _turn(keys, inside, theta).swapaxes(-1, -2)
    next_to = np.minimum(chunk_length + inside, chunk_size)
    previous = _turn(queries, next_to, theta) @ _turn(keys, inside, theta).swapaxes(-1, -2)
    far = np.full(time, min(2 * chunk_length - 1, chunk_size))
    older = _turn(queries, far, theta) @ _turn(keys, inside, theta).swapaxes(-1, -2)
    scores = np.where(apart == 0, own, np.where(apart == 1, previous, older))

    lengths = np.full(time, prompt_length or time) if policy == "prompt" else index + 1
    lengths = np.maximum(lengths, index + 1)
    factor = np.maximum(1, 0.1 * np.log(lengths / trained_length) + 1) if policy != "off" else np.ones(time)
    return scores * factor[:, None] ** 2 / np.sqrt(head_dim)


def _turn(x: np.ndarray, positions: np.ndarray, theta: float) -> np.ndarray:
    """Rotates (heads, time, head_dim): channel t pairs with t + head_dim / 2."""
    half = x.shape[-1] // 2
    angles = positions[:, None] * theta ** (-np.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate(
        [
            first * np.cos(angles) - second * np.sin(angles),
            second * np.cos(angles) + first * np.sin(angles),
        ],
        axis=-1,
    )
