"""A config.json that every reader of the family understands.

transformers 5 writes `rope_parameters` and `dtype`; mlx-lm, vLLM and older tools read
`rope_theta`, `rope_scaling` and `torch_dtype`, and fall back to defaults in silence
where they are missing. So each is written both ways.

Keys that make a loader run code, or fetch it, stay behind: the architecture is known, so
nothing they name is needed.
"""

from collections.abc import Mapping
from typing import Any

from convert.folder.hub import is_hub_id
from qwen2_mlx.config import ModelConfig

#: transformers imports what `auto_map` and `custom_pipelines` name, mlx-lm what `model_file`
#: names; an attention or expert implementation may be the name of a repository of kernels.
_RUNS_CODE = (
    "auto_map", "custom_pipelines", "trust_remote_code", "model_file",
    "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
    "experts_implementation", "_experts_implementation", "_experts_implementation_internal",
)  # fmt: skip

#: Of a quantised source, or of another way to compute.
_OF_THE_SOURCE = ("quantization", "quantization_config", "compression_config", "quantize_activations")


def output_config(
    source_config: Mapping[str, Any], config: ModelConfig, dtype: str, quantization: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The config.json of a written folder.

    `source_config` is the source's, `config` what it was read as, `dtype` the type of the
    weights that are not quantised, `quantization` what mlx-lm reads under that key: bits,
    group_size, mode, and objects of the same kind, or false, under the paths of layers that
    differ. Everything else in `source_config` that cannot run code is kept.
    """
    kept = {key: source_config[key] for key in source_config if key not in (*_RUNS_CODE, *_OF_THE_SOURCE)}
    if not is_hub_id(kept.get("_name_or_path")):  # else a path on the machine that saved it
        kept.pop("_name_or_path", None)
    merged = _in_both_dialects(kept, config, dtype)
    if quantization:
        merged["quantization"] = merged["quantization_config"] = dict(quantization)
    return merged


def _in_both_dialects(raw: Mapping[str, Any], config: ModelConfig, dtype: str) -> dict[str, Any]:
    """`raw` with rope and dtype spelled both ways."""
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
