"""Which layers of a Qwen2 model are quantised, and how finely.

The router and the shared expert's gate stay as they are: their authors asked for it, a
rounding error there changes which expert a token meets, and together they take a few
megabytes. A tied embedding is also the output head, so it keeps 8 bits.
"""

from typing import Any

import mlx.nn as nn

from qwen2_mlx.config import ModelConfig

_NEVER = ("mlp.gate", "mlp.shared_expert_gate")
TIED_EMBEDDING_BITS = 8


def layer_settings(
    config: ModelConfig, path: str, module: nn.Module, settings: dict[str, Any]
) -> dict[str, Any] | None:
    """The `group_size` and `bits` for the layer at `path`, or None to leave it in floating point."""
    if not hasattr(module, "to_quantized") or path.endswith(_NEVER):
        return None
    if not divides(module, settings["group_size"]):
        return None
    if config.tie_word_embeddings and path == "model.embed_tokens":
        return {**settings, "bits": max(settings["bits"], TIED_EMBEDDING_BITS)}
    return settings


def divides(module: nn.Module, group_size: int) -> bool:
    """Whether the layer's input width is a whole number of groups."""
    return module["weight"].shape[-1] % group_size == 0
