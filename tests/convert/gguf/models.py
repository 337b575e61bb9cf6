"""Tiny models that are wide enough for every type of block."""

from pathlib import Path
from typing import Any

import numpy as np

from convert.gguf import GgufSource, open_gguf
from tests import checkpoints
from tests.convert.gguf.builder import write_gguf
from tests.golden.weights import make_weights

#: Untied, because a tied embedding would get along without `output.weight`.
DENSE: dict[str, Any] = {
    **checkpoints.DENSE,
    "hidden_size": 256,
    "intermediate_size": 512,
    "tie_word_embeddings": False,
}
TIED: dict[str, Any] = {**DENSE, "tie_word_embeddings": True}
MOE: dict[str, Any] = {
    **checkpoints.MOE,
    "hidden_size": 256,
    "moe_intermediate_size": 256,
    "shared_expert_intermediate_size": 512,
}


def write_model(
    path: Path, kind: str, config: dict[str, Any] = TIED, **changes: Any
) -> dict[str, np.ndarray]:
    """Writes a random model as GGUF; returns the float32 model that the file stands for.

    `changes` are keys of the metadata after the architecture's name, dots written as `__`.
    """
    name = "qwen2moe" if config["model_type"] == "qwen2_moe" else "qwen2"
    keys = {f"{name}.{key.replace('__', '.')}": item for key, item in changes.items()}
    return write_gguf(path, config, make_weights(config, 0), kind, keys)


def open_model(path: Path, kind: str, config: dict[str, Any] = TIED, **changes: Any) -> GgufSource:
    """A random model written as GGUF and opened."""
    write_model(path, kind, config, **changes)
    return open_gguf(path)
