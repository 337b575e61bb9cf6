"""How large a checkpoint is, and how many bits that makes a weight."""

from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build
from qwen2_mlx.weights import weight_files


@dataclass(frozen=True)
class Size:
    """`files` are the bytes of the weight files, `tensors` those of the numbers in them."""

    files: int
    tensors: int
    parameters: int

    @property
    def bits_per_weight(self) -> float:
        """Bits a parameter of the unquantised model, scales, biases and norms included."""
        return 8 * self.tensors / self.parameters


def size_of(folder: Path, config: ModelConfig) -> Size:
    """Of the checkpoint in `folder`. Raises `CheckpointError` where its files are damaged."""
    files = weight_files(folder)
    total = sum(file.stat().st_size for file in files)
    return Size(total, total - sum(_header_bytes(file) for file in files), parameter_count(config))


def parameter_count(config: ModelConfig) -> int:
    """Parameters of the architecture; nothing of it is computed."""
    named: dict[str, mx.array] = dict(tree_flatten(build(config).parameters()))
    return sum(parameter.size for parameter in named.values())


def _header_bytes(file: Path) -> int:
    """A safetensors file begins with the length of its header, in 8 bytes that come on top."""
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")
