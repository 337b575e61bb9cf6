"""A layer's product with what follows it, in one launch where a kernel does that."""

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.activations import swiglu
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchGLU

from qwen2_mlx.kernels import quantized_matvec
from qwen2_mlx.kernels.use import wanted


def product(layer: nn.Module, x: mx.array, residual: mx.array | None = None) -> mx.array:
    """`layer(x)`, plus `residual` if given."""
    both = residual is not None and "bias" in layer  # which no layer of this family has
    if not both and quantized_matvec.supports(layer, x) and wanted("quantized_matvec"):
        y = quantized_matvec.matvec(layer, x, residual)
        if y is not None:
            return y
    return layer(x) if residual is None else residual + layer(x)


def product_without_bias(layer: nn.Linear | nn.QuantizedLinear, x: mx.array) -> mx.array:
    """`layer(x)` less the layer's bias."""
    if isinstance(layer, nn.Linear):
        return x @ layer.weight.T
    if quantized_matvec.supports(layer, x) and wanted("quantized_matvec"):
        y = quantized_matvec.matvec(layer, x, with_bias=False)
        if y is not None:
            return y
    return mx.quantized_matmul(
        x, layer.weight, layer.scales, layer.biases, transpose=True,
        group_size=layer.group_size, bits=layer.bits, mode=layer.mode,
    )  # fmt: skip


def gated(gate: nn.Module, up: nn.Module, x: mx.array) -> mx.array:
    """silu(gate(x)) * up(x)."""
    if quantized_matvec.alike([gate, up], x) and wanted("quantized_matvec"):
        y = quantized_matvec.swiglu(gate, up, x)
        if y is not None:
            return y
    return swiglu(gate(x), up(x))


def expert_outputs(experts: SwitchGLU, x: mx.array, chosen: mx.array) -> mx.array:
    """`experts(x, chosen)`: (..., k, hidden) for x (..., hidden) and chosen (..., k)."""
    gate, up = experts.gate_proj, experts.up_proj
    if quantized_matvec.alike([gate, up], x, QuantizedSwitchLinear) and wanted("quantized_matvec"):
        y = quantized_matvec.expert_swiglu(gate, up, x, chosen)
        if y is not None:
            return experts.down_proj(y[..., None, :], chosen).squeeze(-2)
    return experts(x, chosen)
