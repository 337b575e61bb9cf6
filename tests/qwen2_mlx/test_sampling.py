"""Samplers against the definitions of their settings, computed with numpy."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.sampling import PENALTY_WINDOW, Sampling, from_generation_config

VOCABULARY = 40
DRAWS = 20_000


@pytest.fixture(scope="module")
def logprobs() -> np.ndarray:
    """Log-probabilities (vocab,) whose order is not that of the ids, without ties."""
    logits = np.random.default_rng(0).normal(scale=2.0, size=VOCABULARY)
    return logits - np.log(np.exp(logits).sum())


def drawn(sampling: Sampling, logprobs: np.ndarray, seed: int = 0) -> Counter[int]:
    """How often each token is drawn in `DRAWS` independent draws."""
    mx.random.seed(seed)
    rows = mx.broadcast_to(mx.array(logprobs.astype(np.float32)), (DRAWS, logprobs.size))
    tokens: Any = sampling.sampler(logprobs.size)(rows).tolist()
    return Counter(tokens)


def expected(sampling: Sampling, logprobs: np.ndarray) -> np.ndarray:
    """The distribution (vocab,) by definition: candidates by probability, then temperature."""
    order = np.argsort(-logprobs)
    probabilities = np.exp(logprobs)
    mass_above = np.cumsum(probabilities[order]) - probabilities[order]
    allowed = np.zeros(logprobs.size, dtype=bool)
    allowed[order[mass_above < sampling.top_p]] = True
    allowed &= probabilities >= sampling.min_p * probabilities.max()
    if sampling.top_k:
        allowed[order[sampling.top_k :]] = False
    weights = np.where(allowed, np.exp(logprobs / sampling.temperature), 0.0)
    return weights / weights.sum()


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1.0},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 2.0, "top_k": 5},
        {"temperature": 1.0, "top_k": VOCABULARY},
        {"temperature": 1.0, "top_k": 10 * VOCABULARY},
        {"temperature": 2.0, "top_p": 0.8},
        {"temperature": 2.0, "top_p": 0.05},
        {"temperature": 2.0, "top_p": 0.999},
        {"temperature": 2.0, "min_p": 0.1},
        {"temperature": 2.0, "min_p": 0.99},
        {"temperature": 3.0, "top_p": 0.95, "top_k": 6, "min_p": 0.05},
        {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
    ],
    ids=lambda settings: ",".join(f"{name}={value}" for name, value in settings.items()),
)
def test_tokens_are_drawn_as_the_settings_define(settings: dict[str, Any], logprobs: np.ndarray) -> None:
    sampling = Sampling(**settings)
    counts, chances = drawn(sampling, logprobs), expected(sampling, logprobs)
    assert {token for token in counts if chances[token] == 0} == set(), "outside the candidates"
    assert {int(t) for t in np.flatnonzero(chances * DRAWS > 20)} <= set(counts), "a candidate never drawn"
    shares = np.array([counts[token] for token in range(VOCABULARY)]) / DRAWS
    deviation = np.sqrt(chances * (1 - chances) / DRAWS)
    assert (np.abs(shares - chances) <= 5 * deviation + 1e-9).all()


def test_temperature_zero_takes_the_most_likely_token(logprobs: np.ndarray) -> None:
    assert drawn(Sampling(), logprobs) == {int(logprobs.argmax()): DRAWS}
    assert drawn(Sampling(top_k=3, top_p=0.5, min_p=0.5), logprobs) == {int(logprobs.argmax()): DRAWS}


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}, {"top_p": 0.999}, {"min_p": 0.001}], ids=str)
def test_a_token_of_no_probability_is_never_drawn_however_hot(settings: Any, logprobs: np.ndarray) -> None:
    forbidden = logprobs.copy()
    forbidden[3:] = -np.inf  # fewer tokens than top_k asks for
    assert set(drawn(Sampling(temperature=100.0, **settings), forbidden)) <= {0, 1, 2}


def test_a_seed_repeats_the_draws_and_another_does_not(logprobs: np.ndarray) -> None:
    sampling = Sampling(temperature=1.0)
    assert drawn(sampling, logprobs, seed=1) == drawn(sampling, logprobs, seed=1)
    assert drawn(sampling, logprobs, seed=1) != drawn(sampling, logprobs, seed=2)


# Repetition penalty


def penalised(history: list[int], penalty: float) -> np.ndarray:
    """Logits (6,), half of them negative, after the penalty for `history`."""
    logits = mx.array([[4.0, 3.0, -2.0, 0.0, 1.0, -1.0]])
    for process in Sampling(repetition_penalty=penalty).logits_processors():
        logits = process(mx.array(history), logits)
    return np.array(logits)[0]


def test_the_penalty_makes_recent_tokens_less_likely_whatever_their_sign() -> None:
    assert penalised([0, 2, 0], 2.0).tolist() == [2.0, 3.0, -4.0, 0.0, 1.0, -1.0]
    assert penalised([0, 2, 0], 1.0).tolist() == [4.0, 3.0, -2.0, 0.0, 1.0, -1.0]


@pytest.mark.parametrize("age", [1, 20, 21, 100, PENALTY_WINDOW])
def test_the_penalty_looks_back_over_its_whole_window(age: int) -> None:
    assert penalised([4] * 9 + [0] + [5] * (age - 1), 2.0)[0] == 2.0


def test_the_penalty_forgets_what_lies_before_its_window() -> None:
    assert penalised([0] + [5] * PENALTY_WINDOW, 2.0)[0] == 4.0


def test_without_a_penalty_nothing_is_processed() -> None:
    assert Sampling().logits_processors() == []


# Settings


def test_override_replaces_only_what_is_given() -> None:
    base = Sampling(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05)
    assert base.override() == base
    assert base.override(temperature=None, top_p=None, seed=None) == base
    assert base.override(temperature=0.0, seed=3) == replace(base, temperature=0.0, seed=3)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 1},
        {"min_p": -0.1},
        {"repetition_penalty": 0},
        {"repetition_penalty": -1.5},
    ],
    ids=str,
)
def test_an_impossible_setting_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Sampling(**settings)


# generation_config.json


def written(folder: Path, content: Any) -> Path:
    (folder / "generation_config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_defaults_come_from_generation_config(tmp_path: Path) -> None:
    config = {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "min_p": 0.01,
        "repetition_penalty": 1.05,
        "eos_token_id": [7, 5],
        "pad_token_id": 5,
    }
    sampling = Sampling(temperature=0.7, top_p=0.8, top_k=20, min_p=0.01, repetition_penalty=1.05)
    assert from_generation_config(written(tmp_path, config)) == (sampling, (7, 5))


def test_the_official_generation_config_is_read(shared_data: Path) -> None:
    sampling, ends = from_generation_config(shared_data / "qwen2-tokenizer")
    assert sampling == Sampling(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05)
    assert ends == (151645, 151643)


@pytest.mark.parametrize("config", [{"do_sample": False}, {}], ids=str)
def test_without_do_sample_decoding_is_greedy_whatever_else_is_said(tmp_path: Path, config: Any) -> None:
    config = config | {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.1}
    assert from_generation_config(written(tmp_path, config))[0] == Sampling(repetition_penalty=1.1)


def test_do_sample_alone_means_temperature_one(tmp_path: Path) -> None:
    config = {"do_sample": True, "top_k": None}
    assert from_generation_config(written(tmp_path, config))[0] == Sampling(temperature=1.0)


def test_without_the_file_decoding_is_greedy(tmp_path: Path) -> None:
    assert from_generation_config(tmp_path) == (Sampling(), ())


@pytest.mark.parametrize(("eos", "ends"), [(None, ()), (7, (7,)), ([], ()), ([7, 8], (7, 8))])
def test_end_tokens_are_none_one_or_several(tmp_path: Path, eos: Any, ends: tuple[int, ...]) -> None:
    assert from_generation_config(written(tmp_path, {"eos_token_id": eos}))[1] == ends


@pytest.mark.parametrize(
    "config",
    [
        {"do_sample": True, "temperature": -1},
        {"do_sample": True, "temperature": "hot"},
        {"do_sample": True, "top_p": [0.8]},
        {"repetition_penalty": 0},
        {"eos_token_id": "<|im_end|>"},
        {"eos_token_id": [None]},
        {"eos_token_id": -1},
    ],
    ids=str,
)
def test_a_senseless_generation_config_is_one_line_that_names_the_file(tmp_path: Path, config: Any) -> None:
    with pytest.raises(CheckpointError, match=r"generation_config\.json") as failure:
        from_generation_config(written(tmp_path, config))
    assert "\n" not in str(failure.value)
