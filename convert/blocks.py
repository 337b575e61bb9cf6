"""Decoder layers that are quantised one after another, with calibration text passing through them.

A layer is a unit: read whole, quantised, written. What the text has become behind it is saved
in the work folder before the layer counts as finished, so that an interrupted conversion
goes on with the next one and writes the same bytes.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import numpy as np

from convert.plan import Chain
from convert.unit import Outputs, Unit, bytes_of, whole
from convert.weights import FloatWeight, Weight
from convert.work_folder import sync
from quant.encode import decode, encode
from quant.format import Format
from qwen2_mlx.errors import CheckpointError, Qwen2Error, first_line

_EMBEDDING = "model.embed_tokens"


class Calibrator(Protocol):
    """What `quant.calibrated.calibrator.Calibrator` offers."""

    def start(self, embeddings_of: Callable[[np.ndarray], mx.array]) -> None: ...
    def quantize_layer(self, index: int, tensors: Mapping[str, mx.array]) -> dict[str, mx.array]: ...
    def state(self) -> dict[str, mx.array]: ...
    def restore(self, state: Mapping[str, mx.array]) -> None: ...


class CalibratedLayers:
    """Leaves the decoder layers of a source in floating point to a calibrator; see `plan.Calibration`."""

    def __init__(self, calibrator: Calibrator, weights: Sequence[Weight]):
        """`weights` are all of the source. Raises `CheckpointError` when some are quantised already."""
        if any(not isinstance(weight, FloatWeight) for weight in weights):
            raise CheckpointError("the source is quantised; calibrate its floating-point original")
        self._calibrator = calibrator
        named = {weight.name: weight for weight in weights if isinstance(weight, FloatWeight)}
        self._embedding = named[f"{_EMBEDDING}.weight"]

    def chain(
        self,
        layers: Sequence[Sequence[FloatWeight]],
        dtype: str,
        outputs: Sequence[Outputs],
        formats: Mapping[str, Format | None],
    ) -> Chain:
        def embeddings_of(ids: np.ndarray) -> mx.array:
            return embedding_rows(self._embedding, ids, dtype, formats.get(_EMBEDDING))

        units = [
            CalibratedLayer(index, weights, dtype, wanted, self._calibrator)
            for index, (weights, wanted) in enumerate(zip(layers, outputs, strict=True))
        ]
        return _Chain(units, self._calibrator, embeddings_of)


def embedding_rows(embedding: FloatWeight, ids: np.ndarray, dtype: str, format: Format | None) -> mx.array:
    """The rows (n, hidden) of ids int (n,) as the converted model has them."""
    unique, places = np.unique(ids, return_inverse=True)
    rows = mx.concatenate([embedding.rows(int(i), int(i) + 1) for i in unique]).astype(getattr(mx, dtype))
    if format is not None:
        rows = decode(encode(rows, format, name=embedding.name), format).astype(rows.dtype)
    return rows[mx.array(places.reshape(-1).tolist())]


@dataclass
class CalibratedLayer:
    """One decoder layer. `folder` is where the state behind it is saved, set before it is produced."""

    index: int
    weights: Sequence[FloatWeight]
    dtype: str
    outputs: Outputs
    calibrator: Calibrator
    folder: Path | None = None

    @property
    def name(self) -> str:
        return f"model.layers.{self.index}"

    def produce(self) -> Iterator[tuple[str, memoryview]]:
        tensors = {weight.name: whole(weight, self.dtype) for weight in self.weights}
        quantised = self.calibrator.quantize_layer(self.index, tensors)
        del tensors
        for name, (dtype, shape) in self.outputs.items():
            tensor = quantised.pop(name)
            if tensor.shape != shape or tensor.dtype != getattr(mx, dtype):
                raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, planned was {dtype} {shape}")
            yield name, bytes_of(tensor)
        if quantised:
            raise ValueError(f"{next(iter(quantised))} was not planned")
        if self.folder is not None:
            _save(self.calibrator.state(), state_file(self.folder, self.index))
            state_file(self.folder, self.index - 2).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Chain:
    """The layers in their order; see `plan.Chain`."""

    layers: Sequence[CalibratedLayer]
    calibrator: Calibrator
    embeddings_of: Callable[[np.ndarray], mx.array]

    @property
    def units(self) -> Sequence[Unit]:
        return self.layers

    def resume(self, done: int, folder: Path) -> int:
        for layer in self.layers:
            layer.folder = folder
        if done == len(self.layers):
            return done
        if done and self._restored(state_file(folder, done - 1)):
            return done
        self.calibrator.start(self.embeddings_of)
        return 0

    def _restored(self, file: Path) -> bool:
        try:
            state = mx.load(str(file))
            assert isinstance(state, dict)
            self.calibrator.restore(state)
        except (RuntimeError, OSError, CheckpointError):  # lost or damaged: the layers are done again
            return False
        return True


def state_file(folder: Path, index: int) -> Path:
    """Where the state behind layer `index` is saved."""
    return folder / f"state-{index}.safetensors"


def _save(state: dict[str, mx.array], file: Path) -> None:
    """Writes `state` so that `file` is whole whenever it exists. Raises `Qwen2Error` for a full disk."""
    partial = file.with_name(f"partial-{file.name}")
    try:
        mx.save_safetensors(str(partial), state)
    except RuntimeError as error:  # MLX's for a disk that is full
        raise Qwen2Error(
            f"{file} cannot be written: {first_line(error)}; check the free space on the disk"
        ) from None
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.rename(file)
    sync(file.parent)
