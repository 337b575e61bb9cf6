"""How far the matrices of a quantised checkpoint are from the original ones, one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx

from quant.encode import decode
from quant.format import Format
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build
from qwen2_mlx.weights import read_tensors

_KINDS = ("weight", "scales", "biases")


@dataclass(frozen=True)
class MatrixError:
    """`error` is the root mean square of what changed, as a share of that of the weights."""

    path: str
    bits: int
    error: float


class Matrices:
    """The matrices of the checkpoint in `folder`, in floating point; nothing is read before it is needed."""

    def __init__(self, folder: Path, config: ModelConfig):
        self._tensors = build(config).sanitize(read_tensors(folder))
        self._settings: Mapping[str, Any] = config.quantization or {}

    @property
    def quantised(self) -> list[str]:
        """Paths of the quantised modules, in the checkpoint's order."""
        return [name.removesuffix(".scales") for name in self._tensors if name.endswith(".scales")]

    def bits(self, path: str) -> int:
        """Bits a code of the module at `path`."""
        return int(self._of(path)["bits"])

    def weight(self, path: str) -> mx.array:
        """The module's matrix in float32, (..., out, in)."""
        if f"{path}.scales" not in self._tensors:
            return self._tensors[f"{path}.weight"].astype(mx.float32)
        settings = self._of(path)
        parts = {
            kind: self._tensors[f"{path}.{kind}"] for kind in _KINDS if f"{path}.{kind}" in self._tensors
        }
        format = Format(settings["bits"], settings["group_size"], settings.get("mode", "affine"))
        matrix = decode(parts, format)
        order = self._tensors.get(f"{path}.perm")
        return matrix if order is None else mx.take(matrix, mx.argsort(order), axis=-1)

    def forget(self, path: str) -> None:
        """Frees what was read of the module at `path`."""
        for kind in _KINDS:
            self._tensors.pop(f"{path}.{kind}", None)

    def __contains__(self, path: str) -> bool:
        return f"{path}.weight" in self._tensors

    def _of(self, path: str) -> Mapping[str, Any]:
        own = self._settings.get(path)
        return {**self._settings, **own} if isinstance(own, Mapping) else self._settings


def matrix_errors(reference: Matrices, candidate: Matrices) -> list[MatrixError]:
    """Of every module that `candidate` holds quantised, in its order; empties both as it goes."""
    errors = []
    for path in candidate.quantised:
        if path not in reference:
            continue
        original = reference.weight(path)
        changed = mx.square(candidate.weight(path) - original).sum()
        error = mx.sqrt(changed / mx.maximum(mx.square(original).sum(), 1e-30))
        errors.append(MatrixError(path, candidate.bits(path), float(error)))
        del original, changed
        reference.forget(path)
        candidate.forget(path)
        mx.clear_cache()
    return errors
