"""Random checkpoints whose greedy answers are as varied as a real model's, and as sensitive to context.

The weights of `tests.checkpoints` end in loops of one token, in which most mistakes of a
generation loop or a cache would not show.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer
from tests.checkpoints import DENSE, edit_tensors, write_checkpoint


class Loaded(NamedTuple):
    folder: Path
    model: Model
    tokenizer: Tokenizer


def write_lively_checkpoint(folder: Path, config: Mapping[str, Any] = DENSE) -> Path:
    """Writes a complete float32 checkpoint for `config`, with a head of its own, into `folder`."""
    write_checkpoint(folder, {**config, "tie_word_embeddings": False}, seed=5)

    def quieten(tensors: dict[str, np.ndarray]) -> None:
        for name in tensors:
            if name.endswith("v_proj.bias"):
                tensors[name] *= 0.2  # a large one drowns what attention found

    edit_tensors(folder, quieten)
    return folder
