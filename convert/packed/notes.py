"""What a user should know about an import, a line each."""

from collections.abc import Mapping
from itertools import islice

import numpy as np

from convert.packed.columns import Held
from convert.packed.modules import Modules, are_scattered_experts
from convert.packed.rounding import largest_error
from convert.packed.zeros import contradicts_label
from qwen2_mlx.loading import DTYPES

#: Layers whose rounding is measured, those of one block, and the rows of each: enough to know it.
_MEASURED_LAYERS, _MEASURED_ROWS = 7, 1024


def on_zero_biases(dropped: int) -> list[str]:
    return [f"{dropped} all-zero biases of layers that have none are left out"] if dropped else []


def on_zeros(modules: Modules) -> list[str]:
    """Whether zero points are stored otherwise than the config says, judged by the first layer."""
    first = next(iter(modules.values()))
    if first.settings.method == "gptq" and contradicts_label(first.stored_zeros(), first.settings):
        return ["zero points are stored in another GPTQ format than the config says; their values decide"]
    return []


def on_rounding(modules: Modules, dtype: str) -> list[str]:
    """What the import type does to the weights, measured on the first block."""
    held = Held()
    worst = 0.0
    for module in islice(modules.values(), _MEASURED_LAYERS):
        scales, zeros = (part[:_MEASURED_ROWS] for part in module.groups(held))
        worst = max(worst, largest_error(scales, zeros, module.settings.bits, DTYPES[dtype]))
    if not worst:
        return []
    settings = next(iter(modules.values())).settings
    exact = "float16 or float32" if settings.symmetric and dtype == "bfloat16" else "float32"
    return [
        f"scales and biases are rounded to {dtype}: weights move by up to {worst:.4f} of a"
        f" quantisation step (first block); --import-dtype {exact} keeps them exact"
    ]


def on_act_order(modules: Modules, permutations: Mapping[str, np.ndarray]) -> list[str]:
    """What became of columns in the order of their importance."""
    notes = []
    if permutations:
        notes.append(
            f"act-order: {len(permutations)} layers keep the order of their inputs as perm; qwen2_mlx reads"
            " it, mlx-lm cannot load this folder"
        )
    if are_scattered_experts(list(modules.values())):
        notes.append(
            "act-order: experts that take their inputs in orders of their own are written in floating point;"
            " -q quantises them anew"
        )
    return notes
