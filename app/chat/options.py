"""What a chat runs on and how it answers: set by flags, kept with each chat, saved as presets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.ask.answer import Mode
from app.cli import clean

DEFAULT_MODEL = "tiny"

#: Arguments of `qwen2_mlx.ChatSession.send`: temperature, top_p, top_k, min_p, repetition_penalty,
#: max_tokens, seed, stop. What is absent comes from the model's own defaults.
Sampling = Mapping[str, Any]


@dataclass(frozen=True)
class Setup:
    """What is loaded: a model reference, its positions and its memory.

    `memory_limit` is in bytes, None for what the machine offers.
    """

    model: str = DEFAULT_MODEL
    rope: str = "auto"
    kv_bits: str = "auto"
    memory_limit: int | None = None

    @property
    def name(self) -> str:
        """What the model is called on the screen: the last part of a path or hub id."""
        return clean(Path(self.model).name or self.model)


@dataclass(frozen=True)
class Options:
    """How one chat answers. `context` is the most tokens it may hold, None for what the model handles.

    `mode` and `max_time` (seconds) are for questions about attached documents.
    """

    setup: Setup = Setup()
    system: str | None = None
    sampling: Sampling = field(default_factory=dict)
    context: int | None = None
    mode: Mode = "auto"
    max_time: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, as the store keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Options":
        """Reads what `as_json` wrote; names it does not know, from a newer version, are left out."""
        values = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        setup = {
            name: value
            for name, value in values.pop("setup", {}).items()
            if name in Setup.__dataclass_fields__
        }
        return cls(setup=Setup(**setup), **values)
