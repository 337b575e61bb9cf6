"""What answers in a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setup:
    """The model and the scout by their names, and limits in bytes, tokens and seconds (None: without)."""

    model: str
    scout: str = "auto"
    memory_limit: int | None = None
    max_tokens: int = 512
    max_time: float | None = 300.0
