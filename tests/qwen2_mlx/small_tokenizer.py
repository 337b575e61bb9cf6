"""A byte-level BPE trained in milliseconds, with merges that cut through Chinese and emoji.

Real Qwen2 tokens often hold half a character; the tokenizer of `tests.checkpoints`, which has
one token for each byte, cannot show what goes wrong there.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from tests.checkpoints import CHAT_TEMPLATE, CONTROL_TOKENS, tokenizer_json, write_json

#: Control tokens of Qwen2.5 and R1 that their tokenizers declare as not special.
SHOWN_TOKENS = ("<tool_call>", "</tool_call>", "<think>", "</think>")

_CORPUS = (
    "The quick brown fox jumps over the lazy dog. What is the code of the north gate? It is 4711.",
    "system user assistant You are a helpful assistant. def area(radius): return 3.14 * radius ** 2",
    "你好，世界。今天天气很好。请问北门的密码是什么？密码是四七一一。中文字符需要三个字节。",
    "😀😃😄👍👎🏽👩🏿👨👩👧👦🏳🌈🇩🇪🇫🇷🇯🇵❤️ naïve café façade Ångström São Tomé",
    "नमस्ते दुनिया สวัสดีชาวโลก 안녕하세요 Привет мир مرحبا بالعالم",
)

# The first 256 tokens are byte-level BPE's alphabet in order: printable Latin-1 bytes stand there
# as themselves, the others as the code points from 256 on.
_PRINTABLE = bytes([*range(33, 127), *range(161, 173), *range(174, 256)])
_ALPHABET = _PRINTABLE + bytes(byte for byte in range(256) if byte not in _PRINTABLE)


def write_small_tokenizer(folder: Path, chat_template: str | None = CHAT_TEMPLATE, **settings: Any) -> Path:
    """Writes tokenizer.json and tokenizer_config.json into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(small_tokenizer_json(), encoding="utf-8")
    config: dict[str, Any] = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **settings}
    if chat_template is not None:
        config["chat_template"] = chat_template
    write_json(folder / "tokenizer_config.json", config)
    return folder


@cache
def small_tokenizer_json(shown: Sequence[str] = SHOWN_TOKENS) -> str:
    """As tokenizer.json holds it: about 500 tokens, Qwen2's three control tokens, and `shown`."""
    plain = Tokenizer.from_str(tokenizer_json())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.decoder = plain.normalizer, plain.decoder
    tokenizer.pre_tokenizer = plain.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS * 8, trainer)
    tokenizer.add_special_tokens([_added(token, special=True) for token in CONTROL_TOKENS])
    tokenizer.add_tokens([_added(token, special=False) for token in shown])
    return tokenizer.to_str()


def byte_tokens(data: bytes) -> list[int]:
    """One token for each byte."""
    return [_ALPHABET.index(byte) for byte in data]


def _added(text: str, special: bool) -> AddedToken:
    return AddedToken(text, special=special, normalized=False)
