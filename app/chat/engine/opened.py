"""An open model as the engine uses it; tests script their own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from app.chat.engine.messages import ModelInfo, Said
from app.chat.options import Setup

if TYPE_CHECKING:
    from app.ask.roles.model_roles import ModelRoles
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.generate import GenerationEvent


class Session(Protocol):
    """The part of `qwen2_mlx.ChatSession` that a chat uses."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, as chat templates take it."""
        ...

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        ...

    def answer(self, **settings: Any) -> Generator[GenerationEvent, None, None]:
        """Says what follows `messages`; closing the generator early keeps the partial answer."""
        ...


class Opened(Protocol):
    """A model, its session, and the roles it plays for documents."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def session(self) -> Session: ...

    def count(self, conversation: Sequence[Said]) -> int:
        """How many tokens a conversation is as a prompt."""
        ...

    def roles(self) -> ModelRoles:
        """Whoever answers from documents; made when first asked for."""
        ...


#: Opens a model. Raises a `Qwen2Error`.
Opener = Callable[[Setup], Opened]


def as_messages(conversation: Sequence[Said]) -> list[dict[str, Any]]:
    """A conversation as chat templates take it."""
    return [{"role": role, "content": content} for role, content in conversation]
