"""The tensors of a checkpoint, each taken by what it is for; what nobody takes is foreign."""

from collections.abc import Mapping
from pathlib import Path

from convert.float_source import listed
from convert.safetensors_file import StoredTensor
from qwen2_mlx.errors import CheckpointError

_STACKED, _SINGLE = ".switch_mlp.", ".experts."


class Inventory:
    """`tensors` by name, and which of them were taken."""

    def __init__(self, folder: Path, tensors: Mapping[str, StoredTensor]):
        self.folder = folder
        self._tensors = tensors
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str) -> StoredTensor:
        """The tensor `name`. Raises `CheckpointError` when there is none."""
        if name not in self._tensors:
            raise CheckpointError(f"{self.folder} lacks tensors of its architecture: {name}")
        self._taken.add(name)
        return self._tensors[name]

    def check_all_taken(self) -> None:
        """Raises `CheckpointError` when tensors are left that the model has no use for."""
        left = self._tensors.keys() - self._taken
        foreign = [name for name in left if not name.endswith("rotary_emb.inv_freq")]
        if foreign:
            raise CheckpointError(
                f"{self.folder} holds tensors foreign to its architecture: {listed(foreign)}"
            )

    def files(self) -> set[Path]:
        return {tensor.file for tensor in self._tensors.values()}


def stored_paths(name: str, shape: tuple[int, ...]) -> list[str]:
    """Paths in a checkpoint of the layers that make up the matrix `name`: one, or one an expert."""
    path = name.removesuffix(".weight")
    if _STACKED not in name:
        return [path]
    prefix, part = path.split(_STACKED)
    return [f"{prefix}{_SINGLE}{expert}.{part}" for expert in range(shape[0])]
