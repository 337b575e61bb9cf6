"""What a model of the family is made of, by name and shape."""

import mlx.core as mx
from mlx.utils import tree_flatten

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build


def parameters(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter by its name in MLX, in the model's order.

    Experts are stacked: `model.layers.0.mlp.switch_mlp.up_proj.weight` is (experts, out, in).
    The model is built from weights that are never computed, so nothing is allocated.
    """
    weights: dict[str, mx.array] = dict(tree_flatten(build(config).parameters()))
    return {name: tuple(weight.shape) for name, weight in weights.items()}
