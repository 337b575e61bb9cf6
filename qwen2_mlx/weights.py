"""A checkpoint's tensors: found, checked against the model, and loaded.

Only safetensors files are read: they hold numbers and cannot execute anything.
Everything that can be wrong with them is noticed from their headers, before memory
is spent.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from safetensors import SafetensorError, safe_open

from qwen2_mlx.errors import CheckpointError, first_line
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.models.permuted import permute_like

INDEX_NAME = "model.safetensors.index.json"
_SHOWN = 3  # names listed in an error before "and N more"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, by its index where it has one.

    Raises `CheckpointError` when a file is missing, damaged or cut short.
    """
    if (folder / INDEX_NAME).is_file():
        weight_map = read_json_object(folder / INDEX_NAME).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{folder / INDEX_NAME} is damaged: it has no weight_map")
        names = sorted({str(name) for name in weight_map.values()})
        climbing = [name for name in names if Path(name).name != name]
        if climbing:
            raise CheckpointError(f"{folder / INDEX_NAME} names a file outside the folder: {climbing[0]}")
        files = [folder / name for name in names]
    else:
        files = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{folder} holds no weights; *.safetensors files are needed")
    missing = [file.name for file in files if not _exists(file)]
    if missing:
        raise CheckpointError(
            f"{folder} is incomplete: {_listed(missing)} missing; download it again to resume"
        )
    for file in files:
        _check_header(file)
    return files


def read_tensors(folder: Path) -> dict[str, mx.array]:
    """All tensors of a checkpoint by name, read from disk when first used."""
    tensors: dict[str, mx.array] = {}
    for file in weight_files(folder):
        try:
            loaded = mx.load(str(file))
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{file} cannot be read: {first_line(error)}") from None
        assert isinstance(loaded, dict)
        twice = tensors.keys() & loaded.keys()
        if twice:
            raise CheckpointError(f"{file} repeats a tensor of another file: {_listed(sorted(twice))}")
        tensors |= loaded
    return tensors


def quantize_like(
    model: nn.Module, tensors: Mapping[str, mx.array], settings: Mapping[str, Any] | None
) -> None:
    """Gives the layers whose tensors are quantised their quantised form.

    `settings` is the config's `quantization`: `bits`, `group_size`, `mode`, and objects of
    the same kind under the names of layers that differ.
    """
    if not settings:
        return
    common = {key: settings[key] for key in ("group_size", "bits", "mode") if key in settings}

    def layer_settings(path: str, module: nn.Module) -> bool | dict[str, Any]:
        if f"{path}.scales" not in tensors or not hasattr(module, "to_quantized"):
            return False
        own = settings.get(path)
        return {**common, **own} if isinstance(own, Mapping) else common

    try:
        nn.quantize(model, class_predicate=layer_settings)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = first_line(error)
        raise CheckpointError(f"the config's quantization does not fit the model: {reason}") from None
    permute_like(model, tensors)


def assign(model: nn.Module, tensors: Mapping[str, mx.array], folder: Path) -> None:
    """Puts `tensors` into the model; names, shapes and kinds must match exactly."""
    expected: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    missing = sorted(expected.keys() - tensors.keys())
    if missing:
        raise CheckpointError(f"{folder} lacks tensors of its architecture: {_listed(missing)}")
    unknown = sorted(tensors.keys() - expected.keys())
    if unknown:
        raise CheckpointError(f"{folder} holds tensors foreign to its architecture: {_listed(unknown)}")
    for name, place in expected.items():
        _check_tensor(folder, name, tensors[name], place)
    model.load_weights(list(tensors.items()), strict=True)


def _check_tensor(folder: Path, name: str, tensor: mx.array, place: mx.array) -> None:
    if tensor.shape != place.shape:
        raise CheckpointError(
            f"{folder}: tensor {name} has shape {list(tensor.shape)}, its config makes it {list(place.shape)}"
        )
    floating = mx.issubdtype(place.dtype, mx.floating)
    if floating != mx.issubdtype(tensor.dtype, mx.floating) or (not floating and tensor.dtype != place.dtype):
        kind = "a floating-point type" if floating else str(place.dtype)
        raise CheckpointError(f"{folder}: tensor {name} is {tensor.dtype}, {kind} is needed")


def _check_header(file: Path) -> None:
    try:
        with safe_open(file, framework="numpy") as tensors:
            if not list(tensors.keys()):
                raise CheckpointError(f"{file} holds no tensors")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} is damaged or cut short ({first_line(error)}); download or copy it again"
        ) from None


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # an index can name what cannot be a file, such as a name of a thousand letters
        return False


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
