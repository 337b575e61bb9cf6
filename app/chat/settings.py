"""What a chat runs on, and how it is opened."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from app.cli import clean
from app.long_context import plan_prompt

if TYPE_CHECKING:
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.generate import GenerationEvent
    from qwen2_mlx.memory.plan import Plan

DEFAULT_MODEL = "tiny"


@dataclass(frozen=True)
class Settings:
    """The flags that decide how a chat answers.

    `memory_limit` is in bytes, None for what the machine offers. `overrides` holds what was set
    explicitly for `ChatSession.send` (`temperature`, `seed`, `stop`, `max_tokens`, ...); whatever is
    absent comes from the model's own defaults.
    """

    model: str = DEFAULT_MODEL
    rope: str = "auto"
    system: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    kv_bits: str = "auto"
    memory_limit: int | None = None

    @property
    def name(self) -> str:
        """What the model is called on the screen: the last part of a path or hub id."""
        return clean(Path(self.model).name or self.model)


class Session(Protocol):
    """The part of `qwen2_mlx.ChatSession` a chat uses; tests script their own."""

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        ...

    def send(self, text: str, **settings: Any) -> Generator[GenerationEvent]:
        """Answers event by event; closing the generator early keeps the partial answer."""
        ...

    def clear(self) -> None:
        """Forgets the conversation."""
        ...


def open_session(settings: Settings) -> Session:
    """Loads the model and starts an empty conversation; raises Qwen2Error when it cannot.

    Everything the session does must happen on the thread that called this.
    """
    from qwen2_mlx import load
    from qwen2_mlx.session import ChatSession

    # A turn reuses what earlier ones left, which is exact only if temperatures follow positions.
    model, tokenizer = load(settings.model, rope=settings.rope, length_factor="position")

    def plan(tokens: int) -> Plan:
        return plan_prompt(model, tokens, settings.kv_bits, settings.memory_limit)

    return ChatSession(model, tokenizer, system=settings.system, plan=plan)
