"""Reads golden files and runs our models on them; needs neither torch nor transformers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from safetensors import safe_open

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import Model, build
from tests.golden.weights import make_weights

FOLDER = Path(__file__).parent

#: transformers' own float32 logits lie within 2e-6 of its float64 logits on these models.
TOLERANCE = 1e-4
#: What counts as noticed when something is broken on purpose: a hundred tolerances.
NOTICED = 1e-2


@dataclass(frozen=True)
class Golden:
    """One recorded case: tokens (batch, time) int32, logits (batch, time, vocab) float32, and its origin."""

    tokens: np.ndarray
    logits: np.ndarray
    config: dict[str, Any]
    seed: int
    origin: dict[str, Any]


@cache
def golden(name: str) -> Golden:
    """The recording of case `name`."""
    with safe_open(FOLDER / f"{name}.safetensors", framework="numpy") as file:
        origin = json.loads(file.metadata()["origin"])
        return Golden(
            tokens=file.get_tensor("tokens"),
            logits=file.get_tensor("logits"),
            config=origin["config"],
            seed=origin["seed"],
            origin=origin,
        )


@cache
def golden_weights(name: str) -> dict[str, np.ndarray]:
    """The weights that case `name` was recorded with, under Hugging Face names."""
    return make_weights(golden(name).config, golden(name).seed)


def load_model(config: dict[str, Any], weights: dict[str, np.ndarray], fused: bool = False) -> Model:
    """Our model of `config` holding exactly `weights`; `fused` as it runs after loading from disk."""
    model = build(ModelConfig.from_dict(config))
    tensors = model.sanitize({name: mx.array(value) for name, value in weights.items()})
    model.load_weights(list(tensors.items()), strict=True)
    if fused:
        model.fuse()
    return model


def run_whole(model: Model, tokens: np.ndarray) -> np.ndarray:
    """Logits (batch, time, vocab) in one call without a cache."""
    return np.array(model(mx.array(tokens)))


def run_in_pieces(model: Model, tokens: np.ndarray, pieces: Sequence[int]) -> np.ndarray:
    """Logits (batch, time, vocab), computed `pieces` tokens at a time through one cache."""
    assert sum(pieces) == tokens.shape[1]
    cache, start, parts = model.make_cache(), 0, []
    for piece in pieces:
        parts.append(np.array(model(mx.array(tokens[:, start : start + piece]), cache=cache)))
        start += piece
    return np.concatenate(parts, axis=1)


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute reference value."""
    assert ours.shape == reference.shape
    return float(np.abs(ours - reference).max() / np.abs(reference).max())
