"""The tokenizer of a GGUF file as the files that a Hugging Face folder has.

The file holds one list of tokens with a type each, the merges, and ids of a few special tokens.
The normaliser and the pattern that splits text are not in it, only the pattern's name.
"""

import json
from typing import Any

from convert.gguf.metadata import Metadata
from qwen2_mlx.errors import CheckpointError

#: As in the tokenizer.json that is published with Qwen2.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZER = "qwen2"

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_END_OF_TEXT = "<|endoftext|>"
_MOST_TOKENS = 2**20

#: Keys of generation_config.json, and what newer GGUF files call them.
_SAMPLING = {
    "temperature": "temp",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "penalty_repeat",
}


def tokenizer_files(metadata: Metadata, rows: int) -> dict[str, bytes]:
    """tokenizer.json, tokenizer_config.json and generation_config.json.

    Raises `CheckpointError` for a tokenizer of another kind, one that is damaged, and one with
    more tokens than the embedding has `rows`.
    """
    _check_kind(metadata)
    tokens, types = _tokens(metadata)
    if len(tokens) > rows:
        raise CheckpointError(f"{metadata.path} has {len(tokens)} tokens, but an embedding of {rows} rows")
    added = [
        _added_token(index, token, kind == _CONTROL)
        for index, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    vocabulary = _vocabulary(tokens, types)
    for name in ("bos", "eos", "eot", "padding"):
        index = metadata.token(f"tokenizer.ggml.{name}_token_id")
        if index is not None and index >= len(tokens):
            raise CheckpointError(
                f"{metadata.path}: {name}_token_id is {index}, the file has {len(tokens)} tokens"
            )
    files = {
        "tokenizer.json": _tokenizer_json(vocabulary, _merges(metadata, vocabulary), added),
        "tokenizer_config.json": _tokenizer_config(metadata, tokens, added),
        "generation_config.json": _generation_config(metadata, added),
    }
    # Not indented: the vocabulary has 150,000 lines, and Python's fast encoder writes none.
    return {name: json.dumps(content, ensure_ascii=False).encode() for name, content in files.items()}


def _check_kind(metadata: Metadata) -> None:
    model, pre = metadata.text("tokenizer.ggml.model"), metadata.text("tokenizer.ggml.pre")
    if model != "gpt2":
        raise CheckpointError(
            f"{metadata.path} has a tokenizer of kind {str(model)[:40]!r}; only 'gpt2', which means"
            " byte-level BPE, is supported"
        )
    if pre != PRE_TOKENIZER:
        way = f"splits text as {pre[:40]!r}" if pre else "does not say how to split text"
        raise CheckpointError(f"{metadata.path} {way}; only {PRE_TOKENIZER!r} is supported")


def _tokens(metadata: Metadata) -> tuple[list[str], list[int]]:
    tokens = metadata.texts("tokenizer.ggml.tokens")
    types = list(metadata.integers("tokenizer.ggml.token_type"))
    if len(tokens) != len(types) or not 0 < len(tokens) <= _MOST_TOKENS:
        raise CheckpointError(
            f"{metadata.path} is damaged: it has {len(tokens)} tokens and {len(types)} token types"
        )
    # Files of 2024 call the rows that fill up the embedding user-defined tokens.
    for index, (token, kind) in enumerate(zip(tokens, types, strict=True)):
        if kind == _USER_DEFINED and token == f"[PAD{index}]":
            types[index] = _UNUSED
    if foreign := set(types) - {_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED}:
        raise CheckpointError(f"{metadata.path} has tokens of type {min(foreign)}, which Qwen2 has not")
    used = [token for token, kind in zip(tokens, types, strict=True) if kind != _UNUSED]
    if len(set(used)) < len(used):
        raise CheckpointError(f"{metadata.path} is damaged: a token stands there twice")
    return tokens, types


def _vocabulary(tokens: list[str], types: list[int]) -> dict[str, int]:
    """Ids of what merges make, as tokenizer.json holds them.

    Readers number added tokens on from the vocabulary's end, whatever ids the file gives them,
    unless the vocabulary has them too. So they stay outside it, as in the published file, if
    these numbers are their ids; else they all go into it.
    """
    ordinary = {token: index for index, token in enumerate(tokens) if types[index] == _NORMAL}
    added = {token: index for index, token in enumerate(tokens) if types[index] in (_CONTROL, _USER_DEFINED)}
    first = len(ordinary)
    if [*ordinary.values(), *added.values()] == list(range(first + len(added))):
        return ordinary
    return ordinary | added


def _merges(metadata: Metadata, vocabulary: dict[str, int]) -> list[str]:
    merges = metadata.texts("tokenizer.ggml.merges")
    for merge in merges:
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= vocabulary.keys():
            raise CheckpointError(f"{metadata.path} is damaged: merge {merge[:60]!r} makes no token")
    return merges


def _added_token(index: int, token: str, special: bool) -> dict[str, Any]:
    return {
        "id": index,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def _tokenizer_json(
    vocabulary: dict[str, int], merges: list[str], added: list[dict[str, Any]]
) -> dict[str, Any]:
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytewise]},
        "post_processor": bytewise,
        "decoder": bytewise,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def _tokenizer_config(metadata: Metadata, tokens: list[str], added: list[dict[str, Any]]) -> dict[str, Any]:
    """What transformers and this engine's chat need: special tokens by their text, and the template."""
    end, padding = (metadata.token(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "padding"))
    end_text = None if end is None else tokens[end]
    config = {
        "add_bos_token": metadata.flag("tokenizer.ggml.add_bos_token", False),
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added
        },
        "additional_special_tokens": [
            token["content"] for token in added if token["special"] and token["content"] != _END_OF_TEXT
        ],
        "bos_token": None,
        "chat_template": metadata.text("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
        "eos_token": end_text,
        "errors": "replace",
        "pad_token": end_text if padding is None else tokens[padding],
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    return {key: value for key, value in config.items() if key != "chat_template" or value}


def _end_tokens(metadata: Metadata, added: list[dict[str, Any]]) -> list[int]:
    """Ids that end an answer: the file's own, and Qwen2's end of text where it is a control token."""
    named = [metadata.token(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    end_of_text = [token["id"] for token in added if token["special"] and token["content"] == _END_OF_TEXT]
    ids = [index for index in named if index is not None]
    return list(dict.fromkeys([*ids, *end_of_text])) if ids else []


def _generation_config(metadata: Metadata, added: list[dict[str, Any]]) -> dict[str, Any]:
    """End tokens, and the sampling that the file recommends if it does."""
    ends = _end_tokens(metadata, added)
    sampling = {
        key: metadata.number(f"general.sampling.{name}", 0.0)
        for key, name in _SAMPLING.items()
        if f"general.sampling.{name}" in metadata
    }
    config = {
        "bos_token_id": metadata.token("tokenizer.ggml.bos_token_id"),
        "pad_token_id": metadata.token("tokenizer.ggml.padding_token_id"),
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "do_sample": sampling.get("temperature", 0.0) > 0 if sampling else None,
        **sampling,
    }
    return {key: value for key, value in config.items() if value is not None}
