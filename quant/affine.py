"""Round-to-nearest affine quantisation: MLX's own, under this family's policy."""

from typing import Any

import mlx.nn as nn

from quant.policy import divides, layer_settings
from qwen2_mlx.models import Model

BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (32, 64, 128)


def quantize_model(model: Model, bits: int = 4, group_size: int = 64) -> dict[str, Any]:
    """Quantises the model's layers in place, lazily, and returns the config's `quantization`.

    The result names each layer that differs from the common setting, as mlx-lm expects it.
    Raises `ValueError` for bits or a group size that MLX has no kernels for.
    """
    if bits not in BITS:
        raise ValueError(f"bits is {bits}; choose one of {', '.join(map(str, BITS))}")
    if group_size not in GROUP_SIZES:
        raise ValueError(f"group_size is {group_size}; choose one of {', '.join(map(str, GROUP_SIZES))}")
    common = {"group_size": group_size, "bits": bits}
    recorded: dict[str, Any] = dict(common)

    def choose(path: str, module: nn.Module) -> bool | dict[str, Any]:
        settings = layer_settings(model.args, path, module, common)
        if settings is None:
            return False
        if settings != common:
            recorded[path] = settings
        return settings

    nn.quantize(model, class_predicate=choose)
    return recorded


def undivided_layers(model: Model, group_size: int) -> list[str]:
    """Layers that stay in floating point because their width is no multiple of `group_size`."""
    return sorted(
        path
        for path, module in model.named_modules()
        if hasattr(module, "to_quantized") and not divides(module, group_size)
    )
