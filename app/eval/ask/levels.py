"""The contestants that are set side by side."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.eval.ask.outcome import Contestant
    from app.eval.ask.setup import Setup
    from app.eval.ask.workplace import Workplace

#: bm25 is a search for the question's words and one answer; level2 the published procedure.
LEVELS = ("bm25", "retrieve", "read", "reason", "auto", "digest", "level2")

#: digest is for questions about all of a document; the other levels are asked everything.
_DIGESTED = ("count", "list")


def applies(level: str, task: str) -> bool:
    """Whether a level is asked the questions of a task."""
    return level != "digest" or task in _DIGESTED


def open_contestant(
    level: str, setup: "Setup", place: "Workplace", on_share: Callable[[float], None]
) -> "AbstractContextManager[Contestant]":
    """A contestant with models and memory of its own, for the files of a workplace."""
    from app.eval.ask.agents import open_agent
    from app.eval.ask.baseline import open_level2

    match level:
        case "level2":
            return open_level2(setup.model, on_share)
        case "bm25":
            return open_agent("retrieve", setup, place, on_share, plain=True)
        case "retrieve" | "read" | "reason" | "auto" | "digest":
            return open_agent(level, setup, place, on_share)
        case _:
            raise ValueError(f"there is no level {level!r}")


def cost(level: str, tokens: int) -> float:
    """Tokens that a question is likely to take, so that a run can say how long it will last."""
    match level:
        case "bm25" | "retrieve":
            return min(tokens, 2_000.0)
        case "level2":
            return 1.5 * tokens
        case "auto":
            return 2_000.0 + 0.3 * tokens
        case _:
            return 1.1 * tokens
