"""One file per architecture."""

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import qwen2, qwen2_moe

Model = qwen2.Model


def build(config: ModelConfig) -> Model:
    """The architecture of `config` with random weights, none of them computed yet."""
    return qwen2_moe.Model(config) if config.moe else qwen2.Model(config)
