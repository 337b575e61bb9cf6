"""Which modules are quantised, and how the config says so."""

from math import prod
from typing import Any

import pytest

from app.bench.sizes import OFFICIAL
from quant.format import MICROSCALING, Format
from quant.policy import format_of, quantization_config
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build
from tests import checkpoints

FOUR = Format(4, 64)
SHAPE = (256, 896)
LAYER = "model.layers.3"


def chosen(
    path: str,
    recipe: Recipe | Format = FOUR,
    shape: tuple[int, ...] = SHAPE,
    config: dict[str, Any] = checkpoints.DENSE,
    **changes: Any,
) -> Format | None:
    recipe = Recipe(format=recipe) if isinstance(recipe, Format) else recipe
    return format_of(recipe, ModelConfig.from_dict({**config, **changes}), path, shape)


@pytest.mark.parametrize(
    "path",
    ["self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj", "mlp.gate_proj", "mlp.switch_mlp.up_proj"],
)
def test_layers_take_the_recipe_s_format(path: str) -> None:
    assert chosen(f"{LAYER}.{path}") == FOUR


@pytest.mark.parametrize("path", ["mlp.gate", "mlp.shared_expert_gate"])
def test_the_router_and_the_shared_gate_stay_in_floating_point_even_when_asked(path: str) -> None:
    assert chosen(f"{LAYER}.{path}", config=checkpoints.MOE) is None
    asked = Recipe(format=FOUR, layers={f"{LAYER}.{path}": Format(8, 64)})
    assert chosen(f"{LAYER}.{path}", asked, config=checkpoints.MOE) is None


def test_vectors_and_everything_without_a_format_stay() -> None:
    assert chosen(f"{LAYER}.input_layernorm", shape=(896,)) is None
    assert chosen(f"{LAYER}.mlp.down_proj", Recipe()) is None


@pytest.mark.parametrize(("bits", "kept"), [(2, 8), (4, 8), (6, 8), (8, 8)])
def test_a_tied_embedding_keeps_eight_bits(bits: int, kept: int) -> None:
    assert chosen("model.embed_tokens", Format(bits, 128)) == Format(kept, 128)


@pytest.mark.parametrize("path", ["model.embed_tokens", "lm_head"])
@pytest.mark.parametrize(("bits", "kept"), [(2, 6), (4, 6), (6, 6), (8, 8)])
def test_an_embedding_and_a_head_of_their_own_keep_six(path: str, bits: int, kept: int) -> None:
    assert chosen(path, Format(bits, 64), tie_word_embeddings=False) == Format(kept, 64)


@pytest.mark.parametrize("mode", MICROSCALING)
def test_beside_floating_point_codes_the_vocabulary_is_affine(mode: str) -> None:
    format = MICROSCALING[mode]
    assert chosen(f"{LAYER}.mlp.up_proj", format) == format
    assert chosen("model.embed_tokens", format) == Format(8, 64)
    assert chosen("model.embed_tokens", format, shape=(264, 96)) == Format(8, 32)
    assert chosen("lm_head", format, tie_word_embeddings=False) == Format(max(6, format.bits), 64)


def test_a_width_that_is_no_whole_number_of_groups_stays() -> None:
    assert chosen(f"{LAYER}.mlp.down_proj", Format(4, 128), shape=(896, 4864)) == Format(4, 128)
    assert chosen(f"{LAYER}.mlp.down_proj", Format(4, 128), shape=(896, 4800)) is None
    assert chosen("model.embed_tokens", MICROSCALING["nvfp4"], shape=(264, 48)) is None


def test_the_shared_expert_can_have_its_own_bits_and_its_gate_cannot() -> None:
    recipe = Recipe(format=FOUR, shared_expert_bits=8)
    assert chosen(f"{LAYER}.mlp.shared_expert.up_proj", recipe) == Format(8, 64)
    assert chosen(f"{LAYER}.mlp.switch_mlp.up_proj", recipe) == FOUR
    assert chosen(f"{LAYER}.mlp.shared_expert_gate", recipe) is None
    mxfp4 = Recipe(format=MICROSCALING["mxfp4"], shared_expert_bits=6)
    assert chosen(f"{LAYER}.mlp.shared_expert.up_proj", mxfp4) == Format(6, 64)


def test_overrides_win_over_the_recipe_and_over_the_vocabulary_s_bits() -> None:
    layers = {f"{LAYER}.mlp.up_proj": Format(3, 32), "model.embed_tokens": Format(5, 64), "lm_head": None}
    recipe = Recipe(format=FOUR, layers=layers, shared_expert_bits=8)
    for path, format in layers.items():
        assert chosen(path, recipe) == format
    assert chosen(f"{LAYER}.mlp.up_proj", recipe, shape=(256, 48)) is None


def test_the_config_names_what_differs() -> None:
    formats = {"a": FOUR, "b": Format(8, 64), "c": None, "d": FOUR}
    assert quantization_config(Recipe(format=FOUR), formats) == {
        "group_size": 64,
        "bits": 4,
        "mode": "affine",
        "b": {"group_size": 64, "bits": 8, "mode": "affine"},
        "c": False,
    }


def test_without_a_recipe_the_most_frequent_format_is_the_common_one() -> None:
    formats = {"a": Format(8, 128), "b": FOUR, "c": FOUR}
    config = quantization_config(Recipe(), formats)
    assert config["bits"] == 4
    assert config["a"]["bits"] == 8
    assert "b" not in config


def test_nothing_quantised_is_no_quantization() -> None:
    assert quantization_config(Recipe(), {"a": None}) == {}


@pytest.mark.parametrize(
    ("size", "expected"), [("0.5b", 5.60), ("7b", 4.79), ("57b-a14b", 4.54), ("72b", 4.57)]
)
def test_bits_per_weight_of_the_official_sizes(size: str, expected: float) -> None:
    """Of all matrices at 4 bits in groups of 64, scales and biases counted."""
    config = ModelConfig.from_dict(OFFICIAL[size])
    bits = weights = 0
    for path, module in build(config).named_modules():
        if hasattr(module, "to_quantized"):
            shape = module["weight"].shape
            format = format_of(Recipe(format=FOUR), config, path, shape)
            weights += prod(shape)
            bits += prod(shape) * (format.bits + 32 / format.group_size if format else 16)
    assert bits / weights == pytest.approx(expected, abs=0.006)
