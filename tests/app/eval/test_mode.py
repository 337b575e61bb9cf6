"""Modes: every combination that makes a difference, once, under a name of its own."""

from app.eval.mode import Mode, modes
from qwen2_mlx.config import ModelConfig
from tests.app.eval.scripted import CONFIG

TWICE = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 384}


def names(*arguments: object, config: ModelConfig = CONFIG, longest: int = 384) -> list[str]:
    ropes, factors, bits = arguments
    return [mode.name for mode in modes(config, ropes, factors, bits, longest)]  # type: ignore[arg-type]


def test_the_temperature_makes_modes_of_dual_chunks_only() -> None:
    found = names(["plain", "yarn", "dca"], ["prompt", "position", "off"], [None])
    assert found == ["plain", "yarn/4", "dca", "dca/position", "dca/off"]


def test_the_precision_of_the_cache_makes_modes_of_all() -> None:
    assert names(["plain", "dca"], ["off"], [None, "8/4"]) == [
        "plain", "plain kv8/4", "dca/off", "dca/off kv8/4",
    ]  # fmt: skip


def test_a_mode_that_is_asked_for_twice_runs_once() -> None:
    assert names(["auto", "dca", "dca"], ["prompt"], [None]) == ["dca"]


def test_yarn_reaches_the_longest_text_with_one_factor() -> None:
    assert names(["yarn"], ["prompt"], [None], longest=16 * 384) == ["yarn/16"]
    assert names(["yarn"], ["prompt"], [None], longest=384) == ["yarn/4"]


def test_yarn_keeps_the_factor_of_the_checkpoint_unless_told_otherwise() -> None:
    raw = {
        "model_type": "qwen2", "vocab_size": 704, "hidden_size": 128, "intermediate_size": 384,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "rope_scaling": TWICE,
    }  # fmt: skip
    config = ModelConfig.from_dict(raw)
    assert names(["auto"], ["prompt"], [None], config=config, longest=9999) == ["yarn/2"]
    (mode,) = modes(config, ["yarn"], ["prompt"], [None], 9999, yarn_factor=8.0)
    assert mode == Mode("yarn", yarn_factor=8.0)


def test_a_description_says_what_a_name_abbreviates() -> None:
    assert Mode("yarn", yarn_factor=16.0).description == "YaRN with factor 16 at every length"
    words = Mode("dca", "off", kv_bits="8/4").description
    assert words == "Dual Chunk Attention without its temperature, 8/4-bit cache"
