"""Small checkpoints and windows for the tests of the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from quant.encode import encode
from quant.format import Format
from quant.report.compare import Subject
from quant.report.texts import Window
from qwen2_mlx.loading import load, read_config
from qwen2_mlx.weights import read_tensors
from tests import checkpoints

#: A width of 64, so that groups of 32 and 64 fit.
CONFIG: dict[str, Any] = {
    **checkpoints.DENSE, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
}  # fmt: skip
MOE: dict[str, Any] = {
    **checkpoints.MOE, "hidden_size": 64, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64,
}  # fmt: skip


def original(folder: Path, config: dict[str, Any] = CONFIG) -> Path:
    """A random checkpoint in float32."""
    return checkpoints.write_checkpoint(folder, config)


def quantised(source: Path, folder: Path, format: Format) -> Path:
    """`source` with every matrix of its layers in `format`."""
    config = read_config(source)
    checkpoints.write_checkpoint(folder, CONFIG)
    tensors = {}
    for name, tensor in read_tensors(source).items():
        if "_proj.weight" in name:
            for kind, part in encode(tensor, format).items():
                tensors[f"{name.removesuffix('.weight')}.{kind}"] = part
        elif not (config.tie_word_embeddings and name == "lm_head.weight"):
            tensors[name] = tensor
    mx.save_safetensors(str(folder / "model.safetensors"), tensors)
    checkpoints.edit_json(folder / "config.json", quantization=format.config())
    return folder


def windows(count: int = 3, length: int = 40) -> list[Window]:
    """Random token ids of two kinds, each window of another length."""
    rng = np.random.default_rng(5)
    return [
        Window(("prose", "code")[index % 2], tuple(int(i) for i in rng.integers(32, 127, length + 3 * index)))
        for index in range(count)
    ]


def subject(folder: Path) -> Subject:
    return Subject(folder.name, folder, f"bytes of {folder.name}")


def logits(folder: Path, tokens: Sequence[int]) -> np.ndarray:
    """Of the whole window at once, as any program computes them, float64 (time, vocabulary)."""
    model, _ = load(str(folder))
    return np.array(model(mx.array([list(tokens)]))[0].astype(mx.float32)).astype(np.float64)


class Counter:
    """A watcher that counts, and interrupts after `most` results."""

    def __init__(self, most: int | None = None):
        self.started: list[str] = []
        self.finished = 0
        self._most = most

    def start(self, what: str, cost: float) -> None:
        if self._most is not None and self.finished >= self._most:
            raise KeyboardInterrupt
        self.started.append(what)

    def finish(self) -> None:
        self.finished += 1
