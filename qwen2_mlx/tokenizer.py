"""Text to token ids and back.

Text that people and documents supply never becomes a control token: `encode` reads
`<|im_end|>` and its like as the characters they are, and in a chat only the
checkpoint's template puts control tokens in.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from qwen2_mlx.chat_template import ChatTemplate, Message
from qwen2_mlx.detokenizer import Detokenizer
from qwen2_mlx.errors import CheckpointError, PromptError, first_line
from qwen2_mlx.jsonfile import read_json_object


@dataclass(frozen=True)
class ControlToken:
    """A token that the tokenizer knows by its literal text, outside its vocabulary."""

    id: int
    text: str
    special: bool  # special ones are never shown; others, such as <tool_call>, are


class Tokenizer:
    """A checkpoint's tokenizer with its chat template and its end-of-answer tokens."""

    def __init__(
        self,
        backend: Backend,
        control_tokens: Sequence[ControlToken],
        chat_template: str | None,
        eos_ids: frozenset[int],
        token_names: Mapping[str, str] | None = None,
    ):
        """`token_names` are the texts that templates call `bos_token`, `eos_token` and so on."""
        self._backend = backend
        self._backend.encode_special_tokens = True  # control tokens in a text stay text
        self._control_ids = {token.text: token.id for token in control_tokens}
        self._hidden_ids = frozenset(token.id for token in control_tokens if token.special)
        self._template = (
            ChatTemplate(chat_template, control_tokens, token_names or {}) if chat_template else None
        )
        self.eos_ids = eos_ids

    @classmethod
    def from_folder(cls, folder: Path, eos_ids: Sequence[int] = ()) -> "Tokenizer":
        """Reads tokenizer.json, tokenizer_config.json and, where present, chat_template.jinja.

        `eos_ids` are further tokens that end an answer (from the model's configs).
        Raises `CheckpointError` when the tokenizer is missing or damaged.
        """
        settings = read_json_object(folder / "tokenizer_config.json", required=False)
        text, control_tokens = _read_tokenizer_json(folder / "tokenizer.json")
        try:
            backend = Backend.from_str(text)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - Exception itself, or a panic, which is not even one
            raise CheckpointError(f"{folder / 'tokenizer.json'} is damaged: {first_line(error)}") from None
        # The library numbers added tokens itself; an id in the file may be no row of any embedding.
        ids = {token.text: backend.token_to_id(token.text) for token in control_tokens}
        control_tokens = [replace(t, id=ids[t.text]) for t in control_tokens if ids[t.text] is not None]
        ends, names = set(eos_ids), _token_names(settings)
        if "eos_token" in names and (eos_id := backend.token_to_id(names["eos_token"])) is not None:
            ends.add(eos_id)
        return cls(backend, control_tokens, _chat_template(folder, settings), frozenset(ends), names)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, in which nothing is a control token."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        return len(self._backend.encode(text, add_special_tokens=False))

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, counted on all cores."""
        return [len(one) for one in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    @cached_property
    def fingerprint(self) -> str:
        """Equal for tokenizers that cut every text alike: a SHA-256 in hex."""
        return hashlib.sha256(self._backend.to_str().encode()).hexdigest()

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special control tokens left out."""
        return self._backend.decode([i for i in ids if i not in self._hidden_ids], skip_special_tokens=False)

    def encode_chat(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> list[int]:
        """A conversation through the checkpoint's chat template.

        Each message has `role` and `content`. Raises `PromptError` when the checkpoint has
        no template or the template refuses the conversation.
        """
        if self._template is None:
            raise PromptError("this checkpoint has no chat template; use an instruct model to chat")
        ids: list[int] = []
        for piece in self._template.render(messages, add_generation_prompt):
            ids += [self._control_ids[piece.text]] if piece.is_control else self.encode(piece.text)
        return ids

    def detokenizer(self) -> Detokenizer:
        """A fresh stream from token ids to whole characters."""
        return Detokenizer(self._backend, self._hidden_ids)

    def __len__(self) -> int:
        """How many tokens there are, control tokens included."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    def unknown_ids(self, rows: int) -> list[int]:
        """The ids below `rows` that are no token: padding rows of the embedding."""
        return [i for i in range(rows) if self._backend.id_to_token(i) is None]


def _read_tokenizer_json(path: Path) -> tuple[str, list[ControlToken]]:
    """The file's text with every added token marked special, and those tokens.

    Only special tokens can be switched off while encoding, and Qwen2.5 declares some
    control tokens (`<tool_call>`, `<|fim_prefix|>`) as not special. The array is edited
    in place because parsing the whole file, mostly vocabulary, takes as long as loading it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the checkpoint is incomplete") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from None
    found = _find_added_tokens(text)
    if found is None:
        return text, []
    start, end, entries = found
    try:
        tokens = [ControlToken(entry["id"], entry["content"], bool(entry["special"])) for entry in entries]
    except (KeyError, TypeError):
        raise CheckpointError(f"{path} is damaged: its added_tokens lack id, content or special") from None
    marked = json.dumps([{**entry, "special": True} for entry in entries])
    return text[:start] + marked + text[end:], tokens


def _find_added_tokens(text: str) -> tuple[int, int, list[dict[str, Any]]] | None:
    """Where the value of the key `added_tokens` starts and ends, and the value itself."""
    key = '"added_tokens"'
    at = text.find(key)
    while at >= 0:
        start = at + len(key)
        start += len(text[start : start + 200]) - len(text[start : start + 200].lstrip(" \t\r\n:"))
        if text.startswith("[", start):
            try:
                entries, end = json.JSONDecoder().raw_decode(text, start)
            except (ValueError, RecursionError):
                return None  # the tokenizers library reports the damage
            return start, end, entries
        at = text.find(key, start)
    return None


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """The template's source; newer checkpoints keep it in a file of its own."""
    separate = folder / "chat_template.jinja"
    if separate.is_file():
        try:
            return separate.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{separate} cannot be read: {first_line(error)}") from None
    template = settings.get("chat_template")
    if isinstance(template, list):  # several named templates
        entries = [entry for entry in template if isinstance(entry, Mapping)]
        template = next((e.get("template") for e in entries if e.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _token_names(settings: Mapping[str, Any]) -> dict[str, str]:
    """`bos_token`, `eos_token` and their like, each with its text."""
    named = {name: value for name, value in settings.items() if name.endswith("_token")}
    texts = {
        name: value.get("content") if isinstance(value, Mapping) else value for name, value in named.items()
    }
    return {name: text for name, text in texts.items() if isinstance(text, str)}
