"""One packed linear layer: its tensors checked by their headers, its rows read and unpacked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx
import numpy as np

from convert.packed.columns import Held
from convert.packed.settings import PackedSettings
from convert.packed.zeros import true_zeros
from convert.safetensors_file import StoredTensor
from qwen2_mlx.errors import CheckpointError

_FLOATS = ("F16", "BF16", "F32")


class Layout(Protocol):
    """Where a packing keeps codes and zeros."""

    def shapes(self, rows: int, width: int, settings: PackedSettings) -> dict[str, tuple[int, ...]]:
        """Shapes of a layer's tensors by part; `width` is that of its input."""
        ...

    def codes(self, qweight: StoredTensor, start: int, stop: int, bits: int, held: Held) -> np.ndarray:
        """Codes uint8 (stop - start, in) of some rows of the matrix."""
        ...

    def codes_at(self, qweight: StoredTensor, rows: np.ndarray, bits: int, held: Held) -> np.ndarray:
        """Codes uint8 (rows, in) of rows in any order."""
        ...

    def zeros(self, words: np.ndarray, bits: int) -> np.ndarray:
        """Stored zeros uint8 (groups, out) of the words of `qzeros`."""
        ...


@dataclass(frozen=True)
class PackedModule:
    """The layer at `path`, a matrix (out, in).

    `row_order` and `column_order` say which stored row and column stand at each place.
    """

    path: str
    shape: tuple[int, int]
    settings: PackedSettings
    layout: Layout
    tensors: Mapping[str, StoredTensor]
    row_order: np.ndarray | None = None
    column_order: np.ndarray | None = None

    def codes(self, start: int, stop: int, held: Held) -> np.ndarray:
        """Codes uint8 (stop - start, in) of some rows, in the order of this layer."""
        codes = self.stored_codes(start, stop, held)
        return codes if self.column_order is None else codes[:, self.column_order]

    def stored_codes(self, start: int, stop: int, held: Held) -> np.ndarray:
        """The same with the columns as they are stored."""
        qweight, bits = self.tensors["qweight"], self.settings.bits
        if self.row_order is None:
            return self.layout.codes(qweight, start, stop, bits, held)
        return self.layout.codes_at(qweight, self.row_order[start:stop], bits, held)

    def groups(self, held: Held) -> tuple[np.ndarray, np.ndarray]:
        """Scales float32 and zeros uint8, each (out, groups), in the order of this layer.

        Raises `CheckpointError` for scales that are not finite.
        """
        return held.get("groups", self.path, self._groups)

    def group_of_columns(self) -> np.ndarray:
        """The group of each stored column, (in,)."""
        groups = np.arange(self.shape[1]) // self.settings.group_size
        if self.column_order is None:
            return groups
        scattered = np.empty_like(groups)
        scattered[self.column_order] = groups
        return scattered

    def stored_zeros(self) -> np.ndarray:
        """Zeros uint8 (groups, out) as they are stored."""
        return self.layout.zeros(words(self.tensors["qzeros"]), self.settings.bits)

    def _groups(self) -> tuple[np.ndarray, np.ndarray]:
        stored = self.tensors["scales"]
        scales = np.array(stored.rows(0, stored.shape[0]).astype(mx.float32))
        if not np.all(np.isfinite(scales)):
            raise CheckpointError(f"{stored.file}: {stored.name} holds values that are not finite")
        zeros = true_zeros(self.stored_zeros(), self.settings)
        order = slice(None) if self.row_order is None else self.row_order
        return np.ascontiguousarray(scales.T[order]), np.ascontiguousarray(zeros.T[order])


def check_tensors(
    path: str,
    shape: tuple[int, int],
    settings: PackedSettings,
    layout: Layout,
    tensors: Mapping[str, StoredTensor],
) -> None:
    """Raises `CheckpointError` unless `tensors` are those of a packed layer (out, in) at `path`."""
    rows, width = shape
    if width % settings.group_size or width * settings.bits % 32 or rows * settings.bits % 32:
        raise CheckpointError(
            f"{path} of shape {list(shape)} cannot be packed with {settings.bits} bits in groups of"
            f" {settings.group_size}; config.json and weights belong to different models"
        )
    for part, wanted in layout.shapes(rows, width, settings).items():
        tensor = tensors.get(part)
        if tensor is None:
            if part == "g_idx" and not settings.act_order:
                continue  # some exporters leave it out where it says nothing
            raise CheckpointError(f"{path} lacks its {part}; the checkpoint is incomplete")
        if tensor.shape != wanted:
            raise CheckpointError(
                f"{tensor.file}: tensor {tensor.name} has shape {list(tensor.shape)},"
                f" its config makes it {list(wanted)}"
            )
        types = _FLOATS if part == "scales" else ("I32",)
        if tensor.dtype not in types:
            raise CheckpointError(
                f"{tensor.file}: tensor {tensor.name} is {tensor.dtype}, {' or '.join(types)} is needed"
            )


def words(tensor: StoredTensor) -> np.ndarray:
    """All of an I32 tensor as uint32."""
    rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
    return np.array(tensor.rows(0, rows)).view(np.uint32)
