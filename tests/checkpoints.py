"""Tiny checkpoints in Hugging Face naming, written in milliseconds.

Their weights are those of the golden files: large biases, no meaning. A test takes one
as a valid starting point, or breaks it in one place.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tests.golden.weights import make_weights

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
#: 256 bytes and one merge come first.
END = 257 + CONTROL_TOKENS.index("<|im_end|>")

#: Qwen2's ChatML: the default system prompt where the conversation brings none.
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

#: The embedding has a few rows more than the tokenizer has tokens, as in the real family.
DENSE: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 264,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "torch_dtype": "float32",
    "eos_token_id": END,
}

MOE: dict[str, Any] = {
    **DENSE,
    "architectures": ["Qwen2MoeForCausalLM"],
    "model_type": "qwen2_moe",
    "tie_word_embeddings": False,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 48,
    "norm_topk_prob": False,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}


def write_checkpoint(folder: Path, config: Mapping[str, Any] = DENSE, seed: int = 0) -> Path:
    """Writes a complete float32 checkpoint for `config` into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"do_sample": False, "eos_token_id": [END, END - 2]})
    write_json(
        folder / "tokenizer_config.json", {"eos_token": CONTROL_TOKENS[2], "chat_template": CHAT_TEMPLATE}
    )
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    save_file(make_weights(config, seed), folder / "model.safetensors", {"format": "pt"})
    return folder


@cache
def tokenizer_json() -> str:
    """A byte-level BPE of 256 bytes, one merge and three control tokens, as tokenizer.json holds it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: index for index, character in enumerate(alphabet)}
    vocabulary["th"] = 256
    tokenizer = Tokenizer(models.BPE(vocabulary, [("t", "h")]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]
    )
    return tokenizer.to_str()


def split_into_shards(folder: Path) -> dict[str, str]:
    """Turns the weights of `folder` into two shards with an index; returns its weight_map."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    weight_map: dict[str, str] = {}
    for number, half in enumerate(halves, 1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({name: tensors[name] for name in half}, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(half, file)
    (folder / "model.safetensors").unlink()
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    return weight_map


def edit_json(path: Path, **changes: Any) -> None:
    """Sets keys of the JSON object in `path`; the value `...` removes one."""
    value = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    value |= changes
    write_json(path, {key: item for key, item in value.items() if item is not ...})


def edit_tensors(folder: Path, edit: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Rewrites model.safetensors after `edit` changed the dict of its tensors in place."""
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
