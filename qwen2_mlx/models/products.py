"""A layer's product with what follows it, in one launch where a kernel does that."""

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.activations import swiglu
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchGLU

from qwen2_mlx.kernels import quantized_matvec
from qwen2_mlx.kernels.use import wanted

#: MLX's own kernel is as good where the input is so wide or a multiple of it, and nothing else is to be done.
FAST_WIDTH = 512


def product(layer: nn.Module, x: mx.array, residual: mx.array | None = None) -> mx.array:
    """`layer(x)`, plus `residual` if given."""
    with_residual, with_bias = residual is not None, "bias" in layer
    fits = quantized_matvec.supports(layer, x) and not (with_residual and with_bias)  # no layer here has both
    if fits and wanted("quantized_matvec", pays=with_residual or with_bias or _is_ragged(x)):
        y = quantized_matvec.matvec(layer, x, residual)
        if y is not None:
            return y
    return layer(x) if residual is None else residual + layer(x)


def product_without_bias(layer: nn.Linear | nn.QuantizedLinear, x: mx.array) -> mx.array:
    """`layer(x)` less the layer's bias."""
    if isinstance(layer, nn.Linear):
        return x @ layer.weight.T
    if quantized_matvec.supports(layer, x) and wanted("quantized_matvec", pays=_is_ragged(x)):
        y = quantized_matvec.matvec(layer, x, with_bias=False)
        if y is not None:
            return y
    return mx.quantized_matmul(
        x, layer.weight, layer.scales, layer.biases, transpose=True,
        group_size=layer.group_size, bits=layer.bits, mode=layer.mode,
    )  # fmt: skip


def as_linear(embedding: nn.Embedding | nn.QuantizedEmbedding, x: mx.array) -> mx.array:
    """`embedding.as_linear(x)`: the product with a vocabulary that is also the embedding."""
    fits = quantized_matvec.supports(embedding, x, nn.QuantizedEmbedding)
    if fits and wanted("quantized_matvec", pays=_is_ragged(x)):
        y = quantized_matvec.matvec(embedding, x)
        if y is not None:
            return y
    return embedding.as_linear(x)


def _is_ragged(x: mx.array) -> bool:
    return x.shape[-1] % FAST_WIDTH != 0


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
