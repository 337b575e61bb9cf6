"""Whole models as GGUF files, from Hugging Face tensors, with the float model that they stand for."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests import checkpoints
from tests.convert.gguf.blocks import LAYOUTS, pack, quantise, values
from tests.convert.gguf.container import Tensor, block_tensor, float_tensor, gguf

#: A mixture as files called Q4_K_M are: what is most sensitive has more bits.
MIXED = {"default": "Q4_K", "attn_v": "Q6_K", "ffn_down": "Q6_K", "ffn_down_exps": "Q6_K", "output": "Q6_K"}

_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_PARTS = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp", "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp", "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
}  # fmt: skip
_EXPERT_PARTS = {"gate_proj": "ffn_gate_exps", "up_proj": "ffn_up_exps", "down_proj": "ffn_down_exps"}


def write_gguf(
    path: Path,
    config: Mapping[str, Any],
    tensors_float: Mapping[str, np.ndarray],
    kind: str,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Writes the model as GGUF and returns the float32 model that the file stands for.

    `config` and `tensors_float` are as in a Hugging Face folder. `kind` is the type of matrices
    (F32, F16, BF16, Q4_0 ... Q6_K) or MIXED; a matrix whose width it does not divide becomes Q8_0
    or F32. Norms, biases and routers are F32. `changes` sets keys of the metadata; `...` removes one.
    """
    tensors, reference = model_tensors(config, tensors_float, kind)
    path.write_bytes(gguf(with_changes(metadata_of(config), changes), tensors))
    return reference


def with_changes(metadata: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """`metadata` with some keys set, and those whose value is `...` removed."""
    return {key: item for key, item in {**metadata, **(changes or {})}.items() if item is not ...}


def model_tensors(
    config: Mapping[str, Any], tensors_float: Mapping[str, np.ndarray], kind: str
) -> tuple[list[Tensor], dict[str, np.ndarray]]:
    """The tensors of the file, and the float32 model they stand for under Hugging Face names."""
    tensors: list[Tensor] = []
    reference: dict[str, np.ndarray] = {}
    for name, (stacked, sources) in _stacked(config, tensors_float).items():
        own = _kind_of(name, stacked, kind, config["tie_word_embeddings"])
        tensor, stored = _stored(name, stacked, own)
        tensors.append(tensor)
        if len(sources) == 1:
            reference[sources[0]] = stored.reshape(tensors_float[sources[0]].shape)
        else:
            reference |= dict(zip(sources, stored, strict=True))
    return tensors, reference


def _stacked(
    config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """By GGUF name, what the file holds under it and the names of the tensors it was made of."""
    found: dict[str, tuple[np.ndarray, list[str]]] = {}
    for name, tensor in tensors.items():
        if name in _NAMES:
            found[_NAMES[name]] = (tensor, [name])
            continue
        layer, rest = name.removeprefix("model.layers.").split(".", 1)
        module, kind = rest.rsplit(".", 1)
        if ".experts." in rest:
            part = rest.split(".")[3]
            names = [
                f"model.layers.{layer}.mlp.experts.{e}.{part}.weight" for e in range(config["num_experts"])
            ]
            found[f"blk.{layer}.{_EXPERT_PARTS[part]}.weight"] = (
                np.stack([tensors[n] for n in names]),
                names,
            )
        else:
            vector = tensor[0] if module == "mlp.shared_expert_gate" else tensor
            found[f"blk.{layer}.{_PARTS[module]}.{kind}"] = (vector, [name])
    return found


def model_codes(
    config: Mapping[str, Any], tensors_float: Mapping[str, np.ndarray], kind: str
) -> dict[str, np.ndarray]:
    """The integer codes in the file that MLX can keep, uint8 (rows, in), by the parameter's name in MLX.

    Experts are stacked, one below the other.
    """
    codes: dict[str, np.ndarray] = {}
    for name, (stacked, sources) in _stacked(config, tensors_float).items():
        own = _kind_of(name, stacked, kind, config["tie_word_embeddings"])
        if own in LAYOUTS and LAYOUTS[own].group == 32:
            fields = quantise(own, stacked.reshape(-1, LAYOUTS[own].block))
            parameter = re.sub(r"experts\.\d+", "switch_mlp", sources[0])
            codes[parameter] = fields.codes.astype(np.uint8).reshape(-1, stacked.shape[-1])
    return codes


def _kind_of(name: str, numbers: np.ndarray, kind: str, tied: bool) -> str:
    """The type of one tensor in a model whose matrices are to be `kind`."""
    module = name.split(".")[-2]
    if numbers.ndim == 1 or module == "ffn_gate_inp":
        return "F32"
    if kind == "MIXED":
        is_head = tied and module == "token_embd"
        kind = MIXED.get("output" if is_head else module, MIXED["default"])
    if kind in LAYOUTS and numbers.shape[-1] % LAYOUTS[kind].block:
        kind = "Q8_0"
    if kind in LAYOUTS and numbers.shape[-1] % LAYOUTS[kind].block:
        kind = "F32"
    return kind


def _stored(name: str, numbers: np.ndarray, kind: str) -> tuple[Tensor, np.ndarray]:
    """A tensor of this kind, and the numbers it stands for."""
    if kind not in LAYOUTS:
        return float_tensor(name, numbers, kind)
    fields = quantise(kind, numbers.reshape(-1, LAYOUTS[kind].block))
    stored = values(kind, fields).astype(np.float32).reshape(numbers.shape)
    return block_tensor(name, numbers.shape, kind, pack(kind, fields)), stored


def metadata_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the usual tools write for `config`, with the small tokenizer of the tests."""
    sparse = config["model_type"] == "qwen2_moe"
    name = "qwen2moe" if sparse else "qwen2"
    settings: dict[str, Any] = {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "rope.freq_base": config["rope_theta"],
    }
    if sparse:
        settings |= {
            "expert_count": config["num_experts"],
            "expert_used_count": config["num_experts_per_tok"],
            "expert_feed_forward_length": config["moe_intermediate_size"],
            "expert_shared_feed_forward_length": config["shared_expert_intermediate_size"],
        }
    general = {"general.architecture": name, "general.quantization_version": 2}
    own = {f"{name}.{key}": setting for key, setting in settings.items()}
    tokenizer = json.loads(checkpoints.tokenizer_json())
    settings = {"eos_token": checkpoints.CONTROL_TOKENS[2], "chat_template": checkpoints.CHAT_TEMPLATE}
    return {**general, **own, **tokenizer_metadata(tokenizer, settings, config["vocab_size"])}


def tokenizer_metadata(
    tokenizer: Mapping[str, Any], settings: Mapping[str, Any], rows: int
) -> dict[str, Any]:
    """A tokenizer.json and a tokenizer_config.json as metadata, padded with unused tokens to `rows`."""
    tokens = [f"[PAD{index}]" for index in range(rows)]
    types = [5] * rows
    for token, index in tokenizer["model"]["vocab"].items():
        tokens[index], types[index] = token, 1
    for token in tokenizer["added_tokens"]:
        tokens[token["id"]], types[token["id"]] = token["content"], 3 if token["special"] else 4
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokens.index(settings["eos_token"]),
        "tokenizer.ggml.bos_token_id": tokens.index("<|endoftext|>"),
        "tokenizer.ggml.padding_token_id": tokens.index("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
    }
    if settings.get("chat_template"):
        metadata["tokenizer.chat_template"] = settings["chat_template"]
    return metadata
