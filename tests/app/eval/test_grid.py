"""Lengths and depths: how they are written, and what the presets are."""

import argparse

import pytest

from app.eval import grid
from qwen2_mlx.config import ModelConfig
from tests.app.eval.scripted import CONFIG

SEVEN_B = ModelConfig.from_dict(
    {
        "model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944,
        "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
        "max_position_embeddings": 32768, "rope_theta": 1000000.0,
    }
)  # fmt: skip
K = 1024


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("384", 384), ("8k", 8192), ("32K", 32768), ("1m", 1048576), ("4T", 1536), ("1.5t", 576), ("0.5k", 512)],
)
def test_a_length_is_read(text: str, tokens: int) -> None:
    assert grid.length(text).tokens(trained_length=384) == tokens


@pytest.mark.parametrize("text", ["", "0", "-5", "8kb", "k", "ten", "1e3", "99999m", "1,,2"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        grid.lengths(text)


def test_depths_are_sorted_percentages() -> None:
    assert grid.depths("100,0,12.5,0") == [0.0, 12.5, 100.0]
    for text in ("", "101", "-1", "nan", "half"):
        with pytest.raises(argparse.ArgumentTypeError):
            grid.depths(text)


def test_the_presets_of_a_large_model_are_those_of_the_report() -> None:
    modes = [SEVEN_B.with_rope("plain"), SEVEN_B.with_rope("dca")]
    assert grid.default_lengths("quick", modes) == [16 * K, 32 * K, 64 * K, 128 * K]
    assert grid.default_lengths("standard", modes) == [8 * K * step for step in range(1, 17)]
    assert grid.default_lengths("agent", modes)[16:] == [256 * K, 512 * K, 1024 * K]


def test_a_preset_looks_beyond_what_a_small_model_was_shown_to_handle() -> None:
    assert CONFIG.with_rope("dca").proven_length == 384
    assert grid.default_lengths("quick", [CONFIG.with_rope("dca")]) == [192, 384, 768, 1536]


def test_a_preset_stays_within_what_its_modes_are_meant_for() -> None:
    assert grid.default_lengths("quick", [SEVEN_B.with_rope("plain")])[-1] == 32 * K


def test_the_presets_have_five_and_eleven_depths() -> None:
    assert grid.default_depths("quick") == [0, 25, 50, 75, 100]
    assert grid.default_depths("standard") == grid.default_depths("agent") == list(range(0, 101, 10))


def test_labels_are_short_where_all_lengths_are_round() -> None:
    assert grid.length_labels([8 * K, 512 * K, K * K]) == ["8K", "512K", "1M"]
    assert grid.length_labels([384, 8 * K]) == ["384", "8,192"]
