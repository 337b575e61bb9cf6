"""A config.json that every reader of the family understands.

transformers 5 writes `rope_parameters` and `dtype`; mlx-lm and older tools read
`rope_theta`, `rope_scaling` and `torch_dtype`, and fall back to defaults in silence
where they are missing.
"""

from collections.abc import Mapping
from typing import Any

from qwen2_mlx.config import ModelConfig


def in_both_dialects(raw: Mapping[str, Any], config: ModelConfig, dtype: str) -> dict[str, Any]:
    """`raw` with rope and dtype spelled both ways; `config` is what `raw` was read as."""
    merged = dict(raw)
    merged["torch_dtype"] = merged["dtype"] = dtype
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    kind = rope.pop("rope_type", None) or rope.pop("type", None) or "default"
    rope.pop("type", None)
    rope.pop("rope_theta", None)
    merged["rope_theta"] = config.rope.theta
    merged["rope_parameters"] = {"rope_type": kind, **rope, "rope_theta": config.rope.theta}
    if config.rope.yarn:
        merged["rope_scaling"] = {"type": kind, "rope_type": kind, **rope}
    else:
        merged.pop("rope_scaling", None)
    return merged
