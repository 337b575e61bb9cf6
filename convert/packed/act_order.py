"""Columns that GPTQ quantised in the order of their importance (`desc_act`).

`g_idx` then names the group of every input column, and the columns of a group are scattered.
MLX's groups are neighbours, so the columns are sorted by group, and the layer's input has to
be taken in the same order. Where it comes from rows of other matrices, as the input of an
MLP's down projection does, those rows are sorted instead and nothing is left to do at run
time; elsewhere the order is kept beside the layer as `perm`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from qwen2_mlx.errors import CheckpointError

_DOWN, _GATE, _UP = ".down_proj", ".gate_proj", ".up_proj"


def column_order(g_idx: np.ndarray, group_size: int, path: str) -> np.ndarray | None:
    """The columns by group, int32 (in,), those of a group in their own order; None if they are so already.

    Raises `CheckpointError` unless every group has `group_size` columns.
    """
    groups = g_idx.size // group_size
    if g_idx.min() < 0 or g_idx.max() >= groups:
        raise CheckpointError(
            f"{path}.g_idx names groups from {g_idx.min()} to {g_idx.max()};"
            f" there are {groups}, counted from 0"
        )
    sizes = np.bincount(g_idx, minlength=groups)
    if np.any(sizes != group_size):
        uneven = int(np.argmax(sizes != group_size))
        raise CheckpointError(
            f"{path}.g_idx gives group {uneven} {sizes[uneven]} columns; all must have {group_size}"
        )
    if np.all(g_idx[1:] >= g_idx[:-1]):
        return None
    return np.argsort(g_idx, kind="stable").astype(np.int32)


def fold(
    orders: Mapping[str, np.ndarray], is_packed: Callable[[str], bool]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Splits column orders by module path into orders of rows, and what has to stay beside a layer.

    A down projection's order becomes that of the rows of its gate and up projection when both
    are packed too.
    """
    rows: dict[str, np.ndarray] = {}
    beside: dict[str, np.ndarray] = {}
    for path, order in orders.items():
        sources = [path.removesuffix(_DOWN) + part for part in (_GATE, _UP)]
        if path.endswith(_DOWN) and all(map(is_packed, sources)):
            rows |= dict.fromkeys(sources, order)
        else:
            beside[path] = order
    return rows, beside
