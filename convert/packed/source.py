"""A GPTQ or AWQ checkpoint as a source of weights: integer codes as they are, the rest in one type.

Scales and biases come out in the import type, and so does everything that is not quantised:
kernels compute slowly, or in a wider type, where activations and scales differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convert.float_source import FLOATS, Piece, config_of, fingerprint_of, rows_of, untie
from convert.folder.companions import companions_of
from convert.packed.columns import Held
from convert.packed.inventory import Inventory, stored_paths
from convert.packed.modules import (
    Modules,
    Shapes,
    are_scattered_experts,
    drop_zero_biases,
    packed_modules,
    sorted_by_group,
)
from convert.packed.notes import on_act_order, on_rounding, on_zero_biases, on_zeros
from convert.packed.rows import coded_rows, dequantised_rows
from convert.packed.settings import IMPORT_DTYPES, PackedSettings, check_import_dtype, read_settings
from convert.safetensors_file import stored_tensors
from convert.target import parameters
from convert.weights import CodedWeight, FloatWeight, Weight
from quant.format import Format
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.loading import DTYPES

_HEAD = "lm_head.weight"


@dataclass(frozen=True)
class PackedSource:
    """See `convert.source.Source`. `permutations` are int32 (in,)."""

    path: Path
    config: dict[str, Any]
    weights: list[Weight]
    notes: list[str]
    format: Format
    permutations: dict[str, np.ndarray]
    settings: PackedSettings
    files: set[Path] = field(repr=False)
    wishes: Mapping[str, Format] = field(default_factory=dict)

    def fingerprint(self) -> str:
        return fingerprint_of({**self.config, "quantization_config": self.settings}, self.files)

    def companions(self) -> dict[str, Path | bytes]:
        return companions_of(self.path)


def open_packed(folder: Path, import_dtype: str | None = None) -> PackedSource:
    """The checkpoint in `folder`, whose config has `quant_method` gptq or awq.

    `import_dtype` is float16 (the default; exact for symmetric codes), float32 (exact for all)
    or bfloat16 (4 bits only). Only headers and small vectors are read here.

    Raises `ConfigError` for a packing that cannot be imported, `CheckpointError` for tensors
    that do not fit it.
    """
    raw = read_json_object(folder / "config.json")
    settings = read_settings(raw)
    dtype = import_dtype or IMPORT_DTYPES[0]
    check_import_dtype(dtype, settings)
    raw = {key: raw[key] for key in raw if key not in ("quantization_config", "quantization")}
    raw |= {"torch_dtype": dtype, "dtype": dtype}
    config = config_of(folder, raw)

    tensors = stored_tensors(folder)
    notes = untie(raw, config, tensors)
    config = config_of(folder, raw)
    inventory = Inventory(folder, tensors)
    shapes = parameters(config)
    modules = packed_modules(shapes, inventory, settings)
    notes += on_zero_biases(drop_zero_biases(modules, shapes, inventory))
    notes += on_zeros(modules) + on_rounding(modules, dtype)
    modules, permutations = sorted_by_group(modules)
    notes += on_act_order(modules, permutations)
    weights = _weights(shapes, modules, inventory, dtype)
    if config.tie_word_embeddings and _HEAD in inventory:
        inventory.take(_HEAD)
    inventory.check_all_taken()
    format = Format(settings.bits, settings.group_size)
    return PackedSource(folder, raw, weights, notes, format, permutations, settings, inventory.files())


def _weights(shapes: Shapes, modules: Modules, inventory: Inventory, dtype: str) -> list[Weight]:
    """Every parameter of the model, in its order."""
    held = Held()
    weights: list[Weight] = []
    for name, shape in shapes.items():
        paths = stored_paths(name, shape)
        packed = [modules[path] for path in paths if path in modules]
        if not packed:
            weights.append(_float_weight(name, shape, paths, inventory))
        elif len(packed) < len(paths):
            lacking = next(path for path in paths if path not in modules)
            raise CheckpointError(f"{inventory.folder} lacks tensors of its architecture: {lacking}.qweight")
        elif are_scattered_experts(packed):
            rows = dequantised_rows(packed, DTYPES[dtype], held)
            weights.append(FloatWeight(name, shape, dtype, rows))
        else:
            settings = packed[0].settings
            format = Format(settings.bits, settings.group_size)
            weights.append(CodedWeight(name, shape, format, dtype, coded_rows(packed, dtype, held)))
    return weights


def _float_weight(name: str, shape: tuple[int, ...], paths: list[str], inventory: Inventory) -> FloatWeight:
    """A parameter that is not quantised, from one tensor or one an expert."""
    stacked = len(shape) > 2
    single = [f"{path}.weight" for path in paths] if stacked else [name]
    stored_shape = shape[1:] if stacked else shape
    pieces = []
    for stored_name in single:
        tensor = inventory.take(stored_name)
        if tensor.shape != stored_shape or tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"{tensor.file}: tensor {stored_name} is {tensor.dtype} of shape {list(tensor.shape)},"
                f" its config makes it floating point of shape {list(stored_shape)}"
            )
        pieces.append(Piece(tensor, 0, stored_shape[0] if len(stored_shape) > 1 else 1))
    dtype = pieces[0].tensor.dtype
    if other := next((piece.tensor for piece in pieces if piece.tensor.dtype != dtype), None):
        raise CheckpointError(f"{other.file}: {other.name} has type {other.dtype}, its fellows {dtype}")
    return FloatWeight(name, shape, FLOATS[dtype], rows_of(pieces))
