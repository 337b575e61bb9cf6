"""How the next token is drawn: the settings people name, turned into mlx-lm's samplers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import mlx.core as mx

from qwen2_mlx import _mlx_lm
from qwen2_mlx.config import token_ids
from qwen2_mlx.errors import CheckpointError, ConfigError
from qwen2_mlx.jsonfile import read_json_object

Sampler = Callable[[mx.array], mx.array]
LogitsProcessor = Callable[[mx.array, mx.array], mx.array]

#: Tokens the repetition penalty looks back on. mlx-lm's default of 20 is shorter than the
#: loops that small models fall into.
PENALTY_WINDOW = 512

#: Temperatures and penalties beyond it are slips.
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Sampling:
    """Sampling settings; the defaults are greedy decoding.

    `temperature` 0 takes the most likely token. `top_p`, `top_k` and `min_p` narrow the
    candidates when they are not 1, 0 and 0. `repetition_penalty` divides the logits of
    recent tokens. `seed` makes a run repeatable.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            _require(Real, name, getattr(self, name))
        _require(Integral, "top_k", self.top_k)
        if not 0 <= self.temperature <= _LARGEST:
            raise ValueError(f"temperature is {self.temperature}; it must be from 0 to {_LARGEST:,}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; it must not be negative")
        if not 0 <= self.min_p < 1:
            raise ValueError(f"min_p is {self.min_p}; it must be at least 0 and below 1")
        if not 0 < self.repetition_penalty <= _LARGEST:
            raise ValueError(
                f"repetition_penalty is {self.repetition_penalty};"
                f" it must be above 0 and at most {_LARGEST:,}"
            )

    def override(self, **settings: Any) -> "Sampling":
        """These settings with every one that is not None replaced."""
        return replace(self, **{name: value for name, value in settings.items() if value is not None})

    def sampler(self, vocab_size: int) -> Sampler:
        """A function from log-probabilities (batch, vocab) to token ids (batch,)."""
        if self.temperature == 0:
            return lambda logprobs: mx.argmax(logprobs, axis=-1)
        _mlx_lm.install()
        from mlx_lm.sample_utils import make_sampler

        top_k = self.top_k if self.top_k < vocab_size else 0
        return make_sampler(temp=self.temperature, top_p=self.top_p, min_p=self.min_p, top_k=top_k)

    def logits_processors(self) -> list[LogitsProcessor]:
        """Functions from (tokens so far (time,), logits (batch, vocab)) to changed logits."""
        if self.repetition_penalty == 1:
            return []
        _mlx_lm.install()
        from mlx_lm.sample_utils import make_logits_processors

        return make_logits_processors(
            repetition_penalty=self.repetition_penalty, repetition_context_size=PENALTY_WINDOW
        )


def from_generation_config(folder: Path) -> tuple[Sampling, tuple[int, ...]]:
    """The sampling and the end-of-answer tokens that generation_config.json asks for.

    A folder without the file gives greedy decoding and no tokens.
    """
    path = folder / "generation_config.json"
    raw = read_json_object(path, required=False)
    try:
        return _sampling(raw), token_ids(raw, "eos_token_id")
    except (ValueError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from None


def _sampling(raw: Mapping[str, Any]) -> Sampling:
    names = ["repetition_penalty"]
    settings: dict[str, Any] = {}
    if raw.get("do_sample", False):
        names += ["temperature", "top_p", "top_k", "min_p"]
        settings["temperature"] = 1.0  # what transformers takes where sampling is on and nothing is said
    settings |= {name: raw[name] for name in names if raw.get(name) is not None}
    return Sampling(**settings)


def _require(kind: type, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, kind):
        wanted = "a whole number" if kind is Integral else "a number"
        raise ValueError(f"{name} is {value!r}; it must be {wanted}")
