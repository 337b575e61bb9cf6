"""A Hugging Face config from the settings of a GGUF file."""

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from convert.gguf.file import GgufFile
from convert.gguf.header import StoredTensor
from convert.gguf.metadata import Metadata
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError, ConfigError

ARCHITECTURES = {
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen2moe": ("qwen2_moe", "Qwen2MoeForCausalLM"),
}

#: Settings, after the architecture's name, whose other values would need code that does not exist.
_ONLY_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0, 0.0),
    "expert_gating_func": (0, 1),  # none stated, softmax
    "expert_group_count": (0, 1),
    "expert_weights_scale": (0.0, 1.0),
    "pooling_type": (0,),
    "rope.scale_linear": (1.0,),
    "rope.scaling.yarn_ext_factor": (1.0,),
    "rope.scaling.yarn_log_multiplier": (0.0,),
    "tensor_data_layout": ("reference",),
    "use_parallel_residual": (False,),
}


def hugging_face_config(file: GgufFile, dtype: str) -> dict[str, Any]:
    """The config of the model in `file`, whose floating-point parameters are to be `dtype`.

    Raises `CheckpointError` for another architecture, a missing setting or one that would change
    the computation in a way that is not implemented.
    """
    metadata, path = file.metadata, file.path
    name = metadata.text("general.architecture")
    if name not in ARCHITECTURES:
        shown = repr(name)[:60]
        raise CheckpointError(f"{path} is of architecture {shown}; supported: {', '.join(ARCHITECTURES)}")
    for key, supported in _ONLY_SUPPORTED.items():
        value = metadata.values.get(f"{name}.{key}", supported[0])
        if isinstance(value, list | np.ndarray) or value not in supported:
            raise CheckpointError(
                f"{path}: {name}.{key} is {str(value)[:60]}; only {supported[0]} is supported"
            )
    model_type, class_name = ARCHITECTURES[name]
    heads = metadata.size(f"{name}.attention.head_count")
    embedding = _tensor(file, "token_embd.weight")
    layers = _layers(file, metadata.size(f"{name}.block_count"))
    config: dict[str, Any] = {
        "architectures": [class_name],
        "model_type": model_type,
        "hidden_act": "silu",
        "hidden_size": metadata.size(f"{name}.embedding_length"),
        "intermediate_size": metadata.size(f"{name}.feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.size(f"{name}.attention.head_count_kv", heads),
        "vocab_size": embedding.shape[0],
        "max_position_embeddings": metadata.size(f"{name}.context_length"),
        "rms_norm_eps": metadata.number(f"{name}.attention.layer_norm_rms_epsilon", 1e-6),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "use_sliding_window": False,
        "attention_dropout": 0.0,
        "torch_dtype": dtype,
        "bos_token_id": metadata.token("tokenizer.ggml.bos_token_id"),
        "eos_token_id": metadata.token("tokenizer.ggml.eos_token_id"),
    }
    config |= _head_size(metadata, name, config) | _rope(metadata, name, config)
    if name == "qwen2moe":
        config |= _experts(file, name, layers)
    return {key: value for key, value in config.items() if value is not None}


def checked(config: Mapping[str, Any], file: GgufFile) -> ModelConfig:
    """The config as the engine reads it; its errors name the file."""
    try:
        return ModelConfig.from_dict(config)
    except ConfigError as error:
        raise CheckpointError(f"{file.path}: {error}") from None


def _tensor(file: GgufFile, name: str) -> StoredTensor:
    if name not in file.tensors:
        raise CheckpointError(f"{file.path} lacks tensor {name}; it holds no complete model")
    return file.tensors[name]


def _layers(file: GgufFile, claimed: int) -> int:
    """The number of layers, once each of them is seen to have tensors."""
    for layer in range(min(claimed, len(file.tensors) + 1)):
        _tensor(file, f"blk.{layer}.attn_norm.weight")
    return claimed


def _head_size(metadata: Metadata, name: str, config: Mapping[str, Any]) -> dict[str, int]:
    """`head_dim` where the file states one; keys, values and rotation must have the same."""
    usual = config["hidden_size"] // config["num_attention_heads"]
    size = metadata.size(f"{name}.attention.key_length", max(1, usual))
    for key in ("attention.value_length", "rope.dimension_count"):
        other = metadata.size(f"{name}.{key}", size)
        if other != size:
            raise CheckpointError(
                f"{metadata.path}: {name}.{key} is {other}, but a key has {size} numbers;"
                " only one size for all is supported"
            )
    return {} if size == usual else {"head_dim": size}


def _rope(metadata: Metadata, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Base and scaling. Without a base GGUF means 10,000, without a kind of scaling linear."""
    theta = {"rope_theta": metadata.number(f"{name}.rope.freq_base", 10000.0)}
    scaling = f"{name}.rope.scaling"
    kind = metadata.text(f"{scaling}.type") or "linear"
    factor = metadata.number(f"{scaling}.factor", 1.0)
    if kind == "none" or (kind == "linear" and factor == 1):
        return theta
    if kind != "yarn":
        raise CheckpointError(
            f"{metadata.path}: rotary positions are scaled as {kind[:40]!r}; only 'yarn' is supported"
        )
    length = metadata.size(f"{scaling}.original_context_length", config["max_position_embeddings"])
    settings = {"type": "yarn", "factor": factor, "original_max_position_embeddings": length}
    for key in ("beta_fast", "beta_slow"):
        if f"{scaling}.yarn_{key}" in metadata:
            settings[key] = metadata.number(f"{scaling}.yarn_{key}", 0.0)
    # GGUF's factor multiplies YaRN's temperature; Hugging Face's takes its place (arXiv 2309.00071, eq. 22).
    for key in ("attn_factor", "yarn_attn_factor"):
        share = metadata.number(f"{scaling}.{key}", 1.0)
        if share != 1 and factor >= 1:
            settings["attention_factor"] = share * (0.1 * log(factor) + 1)
    return {**theta, "rope_scaling": settings}


def _experts(file: GgufFile, name: str, layers: int) -> dict[str, Any]:
    """Settings of the sparse layers. Widths that older files do not state are read off the tensors."""
    metadata = file.metadata
    dense = [layer for layer in range(layers) if f"blk.{layer}.ffn_gate_inp.weight" not in file.tensors]
    if len(dense) == layers:
        raise CheckpointError(f"{file.path} is of architecture {name} but holds no experts")
    first = next(layer for layer in range(layers) if layer not in dense)
    routed = _tensor(file, f"blk.{first}.ffn_up_exps.weight").shape
    shared = _tensor(file, f"blk.{first}.ffn_up_shexp.weight").shape
    return {
        "num_experts": metadata.size(f"{name}.expert_count"),
        "num_experts_per_tok": metadata.size(f"{name}.expert_used_count"),
        "moe_intermediate_size": metadata.size(f"{name}.expert_feed_forward_length", routed[-2:][0]),
        "shared_expert_intermediate_size": metadata.size(
            f"{name}.expert_shared_feed_forward_length", shared[-2:][0]
        ),
        "norm_topk_prob": metadata.flag(f"{name}.expert_weights_norm", False),
        "decoder_sparse_step": 1,
        "mlp_only_layers": dense,
        "output_router_logits": False,
    }
