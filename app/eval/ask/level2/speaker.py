"""A model that replies to prompts, one after another, and remembers nothing between them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.ask.answer import Usage
from qwen2_mlx.generate import stream_generate
from qwen2_mlx.models import Model
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.tokenizer import Tokenizer

#: Where a repeated reading draws its replies from, so that it can find what the first did not.
_TEMPERATURE = 0.7


class Speaker(Protocol):
    """What the procedure asks of a model; tests script their own."""

    @property
    def usage(self) -> Usage:
        """Everything computed so far."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text."""
        ...

    def reply(self, messages: Sequence[Mapping[str, Any]], max_tokens: int, seed: int | None = None) -> str:
        """The likeliest reply to a conversation, or one drawn with `seed`."""
        ...


class ModelSpeaker:
    """A loaded checkpoint."""

    def __init__(self, model: Model, tokenizer: Tokenizer):
        self._model, self._tokenizer = model, tokenizer
        self.usage = Usage()

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def reply(self, messages: Sequence[Mapping[str, Any]], max_tokens: int, seed: int | None = None) -> str:
        sampling = Sampling() if seed is None else Sampling(temperature=_TEMPERATURE, seed=seed)
        events = list(
            stream_generate(self._model, self._tokenizer, messages, max_tokens=max_tokens, sampling=sampling)
        )
        self.usage += Usage(events[-1].prompt_tokens, 0, events[-1].generation_tokens)
        return "".join(event.text for event in events)
