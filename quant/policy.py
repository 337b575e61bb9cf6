"""Which layers of a Qwen2 model are quantised, and how finely.

The router and the shared expert's gate stay as they are: their authors asked for it, a
rounding error there changes which expert a token meets, and together they take a few
megabytes.

A tied embedding is also the output head and keeps 8 bits. An embedding and a head of their own
keep 6: what enters wrong passes through every layer, what leaves wrong is mended by none, and
on the bundled model with experts 6 bits for both cost as little divergence as 8 (and much less than
4 and 8, which take the same memory). At 4 bits this makes 4.79 bits per weight of the 7B
and 4.57 of the 72B, instead of 4.50.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig

TIED_BITS, UNTIED_BITS = 8, 6
_NEVER = ("mlp.gate", "mlp.shared_expert_gate")
_SHARED_EXPERT = ".mlp.shared_expert."
_VOCABULARY = ("model.embed_tokens", "lm_head")


def format_of(recipe: Recipe, config: ModelConfig, path: str, shape: Sequence[int]) -> Format | None:
    """The format of the module at `path`, or None to leave it in floating point.

    `path` is the module's, such as `model.layers.0.mlp.down_proj`, and `shape` its weight's. None
    for vectors, for routers, and where the input width is no whole number of groups.
    """
    if recipe.format is None or len(shape) < 2 or path.endswith(_NEVER):
        return None
    if path in recipe.layers:
        format = recipe.layers[path]
    elif path in _VOCABULARY:
        bits = TIED_BITS if config.tie_word_embeddings else UNTIED_BITS
        format = _with_bits(recipe.format, max(bits, recipe.format.bits), shape[-1])
    elif recipe.shared_expert_bits and _SHARED_EXPERT in path:
        format = _with_bits(recipe.format, recipe.shared_expert_bits, shape[-1])
    else:
        format = recipe.format
    return format if format and divides(format, shape) else None


def divides(format: Format, shape: Sequence[int]) -> bool:
    """Whether the input width of a weight of `shape` is a whole number of groups."""
    return shape[-1] % format.group_size == 0


def quantization_config(recipe: Recipe, formats: Mapping[str, Format | None]) -> dict[str, Any]:
    """The config's `quantization` for matrices that are stored as `formats` says, by module.

    The common setting, which is the recipe's or else the most frequent one, and by name the modules
    that differ, `False` for those in floating point: as mlx-lm reads it. Empty when nothing
    is quantised.
    """
    used = Counter(format for format in formats.values() if format)
    if not used:
        return {}
    common = recipe.format or used.most_common(1)[0][0]
    named = {
        path: format.config() if format else False for path, format in formats.items() if format != common
    }
    return {**common.config(), **named}


def _with_bits(format: Format, bits: int, width: int) -> Format:
    """`format` with other bits; affine codes stand in for the modes that have no choice of bits.

    Their groups are the widest up to 64 that divide the width.
    """
    if format.mode == "affine":
        return Format(bits, format.group_size)
    return Format(bits, next((size for size in (64, 32) if width % size == 0), 32))
