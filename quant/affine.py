"""A model in memory, quantised as `mx.quantize` rounds, under this family's policy."""

from typing import Any

import mlx.nn as nn

from quant.format import Format, check_format
from quant.policy import format_of, quantization_config
from quant.recipe import Recipe
from qwen2_mlx.models import Model


def quantize_model(model: Model, bits: int = 4, group_size: int = 64) -> dict[str, Any]:
    """Quantises the model's layers in place, lazily, and returns the config's `quantization`.

    For models that are to be measured or planned; `qwen2-convert` writes better ones. Raises a
    `Qwen2Error` for bits or a group size that MLX has no kernels for.
    """
    recipe = Recipe(format=check_format(Format(bits, group_size)), method="round")
    formats = {
        path: format_of(recipe, model.args, path, module["weight"].shape)
        for path, module in model.named_modules()
        if hasattr(module, "to_quantized")
    }

    def settings(path: str, _: nn.Module) -> bool | dict[str, Any]:
        format = formats.get(path)
        return format.config() if format else False

    nn.quantize(model, class_predicate=settings)
    return quantization_config(recipe, formats)
