"""A quantised layer whose input channels stand in an order of their own.

GPTQ may quantise columns in the order of their importance (act-order), so that the columns
of a group lie scattered. MLX's groups are neighbours. Sorting the columns by group keeps
every integer code, at the price of taking the input in the same order: one gather a layer.
"""

from collections.abc import Mapping, Sequence

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten

from qwen2_mlx.errors import CheckpointError

#: Name of the parameter that holds the order.
PERM = "perm"


class PermutedQuantizedLinear(nn.QuantizedLinear):
    """`nn.QuantizedLinear` whose column i meets channel `perm[i]` of the input; `perm` int32 (in,)."""

    @classmethod
    def of(cls, layer: nn.QuantizedLinear) -> "PermutedQuantizedLinear":
        """The form of `layer` that has a `perm`, here the identity."""
        rows, packed = layer.weight.shape
        width = packed * 32 // layer.bits
        permuted = cls(width, rows, "bias" in layer, layer.group_size, layer.bits, layer.mode)
        permuted.perm = mx.arange(width, dtype=mx.int32)
        permuted.freeze()
        return permuted

    def __call__(self, x: mx.array) -> mx.array:
        return super().__call__(mx.take(x, self[PERM], axis=-1))


def permute_like(model: nn.Module, tensors: Mapping[str, mx.array]) -> None:
    """Gives the quantised layers that have a `perm` among `tensors` their permuted form.

    Raises `CheckpointError` for a `perm` that does not name every channel once: a product
    would read beyond its input.
    """
    permuted: list[tuple[str, nn.Module]] = []
    for path, layer in model.named_modules():
        order = tensors.get(f"{path}.{PERM}")
        if order is None or not isinstance(layer, nn.QuantizedLinear):
            continue
        width = layer.weight.shape[-1] * 32 // layer.bits
        if order.shape != (width,) or not mx.array_equal(mx.sort(order), mx.arange(width)):
            raise CheckpointError(f"{path}.{PERM} is damaged: it does not name each of {width} inputs once")
        permuted.append((path, PermutedQuantizedLinear.of(layer)))
    if permuted:
        model.update_modules(tree_unflatten(permuted))


def same_order(layers: Sequence[nn.Module]) -> bool:
    """Whether `layers` take their input's channels in the same order."""
    orders = [layer[PERM] for layer in layers if PERM in layer]
    if len(orders) < len(layers):
        return not orders
    return all(bool(mx.array_equal(order, orders[0])) for order in orders[1:])
