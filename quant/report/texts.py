"""Texts to compare models on, cut into windows of token ids.

The bundled ones were written for this project, a few thousand characters of each kind, and
share nothing with the texts that quantisers calibrate on. They are few: enough to tell
quantisations of one model apart, because every token yields a divergence, and far too few to
rank different models.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import numpy as np

from qwen2_mlx.chat_template import Message
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

#: Kinds of bundled text, each in a file of its name.
PROSE = ("english", "chinese", "code", "maths", "multilingual")
CHAT = "chat"

#: A shorter remainder of a text is left out: its first tokens have little to go by.
_SHORTEST = 32

Conversation = Sequence[Message]


@dataclass(frozen=True)
class Text:
    """Something to read, of a kind under which results are shown: prose, or conversations."""

    kind: str
    content: str | Sequence[Conversation]


@dataclass(frozen=True)
class Window:
    """Token ids that a model reads at once; all but the first are predicted."""

    kind: str
    tokens: tuple[int, ...]

    @cached_property
    def id(self) -> str:
        """Tells these token ids from any others."""
        return hashlib.sha256(np.array(self.tokens, np.int64).tobytes()).hexdigest()[:24]


def bundled_texts() -> list[Text]:
    """The texts in this package, one of each kind."""
    folder = files("quant.report") / "bundled"
    texts = [Text(kind, (folder / f"{kind}.txt").read_text(encoding="utf-8")) for kind in PROSE]
    return [*texts, Text(CHAT, json.loads((folder / f"{CHAT}.json").read_text(encoding="utf-8")))]


def cut(tokenizer: Tokenizer, texts: Iterable[Text], length: int) -> list[Window]:
    """Consecutive windows of at most `length` tokens; a text never shares one with another.

    Raises `PromptError` where nothing is long enough to measure.
    """
    windows = [
        Window(text.kind, tuple(tokens[start : start + length]))
        for text in texts
        for tokens in _token_lists(tokenizer, text)
        for start in range(0, len(tokens), length)
        if len(tokens) - start >= min(_SHORTEST, length)
    ]
    if not windows:
        raise PromptError(f"the texts are too short to measure; give one of at least {_SHORTEST} tokens")
    return list({window.id: window for window in windows}.values())


def _token_lists(tokenizer: Tokenizer, text: Text) -> Iterator[list[int]]:
    """The text as a whole, or each conversation through the checkpoint's template."""
    if isinstance(text.content, str):
        yield tokenizer.encode(text.content)
        return
    for conversation in text.content:
        try:
            yield tokenizer.encode_chat(conversation, add_generation_prompt=False)
        except PromptError:  # a base model has no template: it reads the same words as plain text
            turns = (f"{message['role']}: {message['content']}" for message in conversation)
            yield tokenizer.encode("\n\n".join(turns))
