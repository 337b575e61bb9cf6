"""The packed layers of a checkpoint: found, checked, and arranged so that their groups are neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import mlx.core as mx
import numpy as np

from convert.float_source import FLOATS
from convert.packed.act_order import column_order, fold
from convert.packed.awq import AwqLayout
from convert.packed.gptq import GptqLayout
from convert.packed.inventory import Inventory, stored_paths
from convert.packed.module import PackedModule, check_tensors
from convert.packed.settings import PackedSettings
from qwen2_mlx.errors import CheckpointError

_LAYOUTS = {"gptq": GptqLayout(), "awq": AwqLayout()}
_EMBEDDING = "model.embed_tokens.weight"
_EXPERTS = ".mlp.experts."

#: Shapes of the model's parameters by name, and packed layers by their path in the checkpoint.
Shapes = Mapping[str, tuple[int, ...]]
Modules = dict[str, PackedModule]


def packed_modules(shapes: Shapes, inventory: Inventory, settings: PackedSettings) -> Modules:
    """Every packed layer by its path in the checkpoint, its tensors checked."""
    modules: Modules = {}
    layout = _LAYOUTS[settings.method]
    matrices = {name: shape for name, shape in shapes.items() if len(shape) > 1 and name != _EMBEDDING}
    for name, shape in matrices.items():
        for path in stored_paths(name, shape):
            if f"{path}.qweight" in inventory:
                matrix = (shape[-2], shape[-1])
                parts = layout.shapes(*matrix, settings)
                names = {part: f"{path}.{part}" for part in parts if f"{path}.{part}" in inventory}
                tensors = {part: inventory.take(stored) for part, stored in names.items()}
                check_tensors(path, matrix, settings, layout, tensors)
                modules[path] = PackedModule(path, matrix, settings, layout, tensors)
    if not modules:
        raise CheckpointError(
            f"{inventory.folder} holds no {settings.method.upper()} weights, though its config says so"
        )
    return modules


def drop_zero_biases(modules: Modules, shapes: Shapes, inventory: Inventory) -> int:
    """Takes the all-zero biases that exporters give to layers without one, and returns how many."""
    dropped = 0
    for path, module in modules.items():
        name = f"{path}.bias"
        if name not in inventory or name in shapes:
            continue
        bias = inventory.take(name)
        if bias.shape != module.shape[:1] or bias.dtype not in FLOATS or bool(mx.any(bias.rows(0, 1) != 0)):
            raise CheckpointError(
                f"{bias.file}: {name} is not all zero, and a Qwen2 model has no bias there;"
                " the checkpoint is of another architecture"
            )
        dropped += 1
    return dropped


def sorted_by_group(modules: Modules) -> tuple[Modules, dict[str, np.ndarray]]:
    """The modules with rows and columns in order, and by path the orders of inputs that remain.

    No layer of stacked experts can gather its inputs for each expert, so theirs do not remain.
    """
    found = {path: replace(module, column_order=_column_order(module)) for path, module in modules.items()}
    orders = {path: module.column_order for path, module in found.items() if _EXPERTS not in path}
    rows, beside = fold({p: order for p, order in orders.items() if order is not None}, found.__contains__)
    for path, order in rows.items():
        found[path] = replace(found[path], row_order=order)
    return found, beside


def are_scattered_experts(modules: Sequence[PackedModule]) -> bool:
    """Whether `modules` are experts that would have to take their inputs in orders of their own."""
    return any(_EXPERTS in module.path and module.column_order is not None for module in modules)


def _column_order(module: PackedModule) -> np.ndarray | None:
    g_idx = module.tensors.get("g_idx")
    if g_idx is None:
        return None
    return column_order(np.array(g_idx.rows(0, 1))[0], module.settings.group_size, module.path)
