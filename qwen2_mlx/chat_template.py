"""Conversations through a checkpoint's chat template.

The template is code from a stranger, so it runs in jinja2's sandbox. The messages are
text from strangers, so control tokens inside them are hidden from the template's
output before it is split at control tokens, and come back as plain text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from qwen2_mlx.errors import CheckpointError, PromptError, first_line

if TYPE_CHECKING:
    from jinja2 import Template

#: A chat message: `role` and `content`.
Message = Mapping[str, Any]

#: Brackets a hidden control token; a noncharacter that no text needs (Unicode 23.7).
_MARK = "\ufdd0"


class _HasText(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def special(self) -> bool: ...


@dataclass(frozen=True)
class Piece:
    """A control token that the template wrote, or a stretch of plain text."""

    text: str
    is_control: bool


class ChatTemplate:
    """One checkpoint's template, compiled on first use."""

    def __init__(
        self, source: str, control_tokens: Sequence[_HasText], token_names: Mapping[str, str] | None = None
    ):
        self._source = source
        self._token_names = dict(token_names or {})
        self._every_token = _either(token.text for token in control_tokens)
        self._hide_everything = _either([*(token.text for token in control_tokens), _MARK])
        # A model may write non-special tokens such as </think> itself, and templates look for them.
        self._hide_special = _either([*(token.text for token in control_tokens if token.special), _MARK])

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> Iterator[Piece]:
        """The rendered conversation, cut at the template's control tokens.

        Raises `PromptError` for messages that the template refuses, `CheckpointError` for a
        template that cannot be compiled.
        """
        hidden: list[str] = []
        safe = [self._without_control_tokens(message, hidden) for message in messages]
        template = self._template
        try:
            text = template.render(
                **self._token_names,
                messages=safe,
                add_generation_prompt=add_generation_prompt,
                tools=None,
                documents=None,
            )
            text.encode()  # fails for half a surrogate pair, which is no text
        except Exception as error:  # noqa: BLE001 - a stranger's program can fail in every way
            reason = first_line(error)
            raise PromptError(f"the checkpoint's chat template refuses the conversation: {reason}") from None
        for i, part in enumerate(self._every_token.split(text)):
            if part:
                yield Piece(part, True) if i % 2 else Piece(_restored(part, hidden), False)

    def _without_control_tokens(self, message: Message, hidden: list[str]) -> dict[str, Any]:
        """The message with each control token in its text replaced by a mark and a number."""
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise PromptError("a chat message needs a role and a content, both text")
        pattern = self._hide_special if message["role"] == "assistant" else self._hide_everything

        def hide(match: re.Match[str]) -> str:
            hidden.append(match.group())
            return f"{_MARK}{len(hidden) - 1}{_MARK}"

        return {key: _map_text(value, lambda text: pattern.sub(hide, text)) for key, value in message.items()}

    @cached_property
    def _template(self) -> "Template":
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        # The helpers that checkpoints' templates expect (transformers, chat templating guide).
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        environment.filters["tojson"] = _to_json
        try:
            return environment.from_string(self._source)
        except Exception as error:  # noqa: BLE001 - compiled to Python, it can exceed its limits too
            reason = first_line(error)
            raise CheckpointError(f"the checkpoint's chat template is damaged: {reason}") from None


def _either(texts: Any) -> re.Pattern[str]:
    """Matches any of `texts`, the longest first, and captures it; matches nothing for none."""
    ordered = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, ordered))})" if ordered else r"((?!))")


def _map_text(value: Any, change: Any) -> Any:
    """`value` with `change` applied to every string in it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_text(item, change) for item in value]
    return value


def _restored(text: str, hidden: Sequence[str]) -> str:
    marked = {f"{_MARK}{i}{_MARK}": token for i, token in enumerate(hidden)}
    # A template may write marks of its own, which stand for nothing.
    return re.sub(f"{_MARK}\\d+{_MARK}", lambda match: marked.get(match.group(), match.group()), text)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _to_json(value: Any, indent: int | None = None, ensure_ascii: bool = False, **options: Any) -> str:
    """jinja2's own filter escapes HTML, which would change the prompt."""
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii, **options)
