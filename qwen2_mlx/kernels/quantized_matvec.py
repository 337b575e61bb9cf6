"""Products of one token's state with quantised weights, and what follows each of them in the same launch.

At decoding every weight is read once and used once, so the bytes of the weights are the time, and every
launch beside them is waste. Three things are folded into the product here: the bias of queries, keys and
values; the residual that attention and feed-forward are added to; and SwiGLU over the two products it joins,
also for the chosen experts of a mixture, whose weights are looked up by index. Widths need only be multiples
of the quantisation group: MLX leaves its fast path where the input is no multiple of 512, which is all of
the 0.5B model (896 and 4,864) and half of the others' `down_proj`.

A simdgroup computes four outputs; its lanes walk side by side along the rows, a 32-bit word of codes each.
With w = s c + o in a group, w . x = s (c . x) + o (sum of x): codes are multiplied as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from qwen2_mlx.kernels.kernel import Kernel, Launch

#: Outputs of a simdgroup, simdgroups of a threadgroup.
ROWS, SIMDGROUPS = 4, 2

_BEGIN = """
    constexpr int PACK = 32 / BITS;
    constexpr uint MASK = (1u << BITS) - 1;
    int lane = thread_index_in_simdgroup;
    int first = (threadgroup_position_in_grid.x * SIMDGROUPS + simdgroup_index_in_threadgroup) * ROWS;
    int slot = threadgroup_position_in_grid.y;
    int words = width / PACK, groups = width / Q;
    int64_t matrix = MATRIX;
"""

_STEP = """
    for (int word = lane; word < words; word += 32) {
        float x[PACK], x_sum = 0;
        for (int i = 0; i < PACK; i++) {
            x[i] = float(inputs[word * PACK + i]);
            x_sum += x[i];
        }
        int group = word * PACK / Q;
        for (int r = 0; r < ROWS; r++) {
            int64_t row = matrix * rows + min(first + r, rows - 1);
            PRODUCTS
        }
    }
"""

_PRODUCT = """
            {
                uint codes = NAME_codes[row * words + word];
                float product = 0;
                for (int i = 0; i < PACK; i++) {
                    product += x[i] * float((codes >> (i * BITS)) & MASK);
                }
                int64_t at = row * groups + group;
                NAME[r] += float(NAME_scales[at]) * product + float(NAME_offsets[at]) * x_sum;
            }
"""

_END = """
    for (int r = 0; r < ROWS; r++) {
        SUMS
        if (lane == 0 && first + r < rows) {
            int64_t at = int64_t(slot) * rows + first + r;
            out[at] = T(RESULT);
        }
    }
"""


@dataclass(frozen=True)
class _Form:
    """Which matrices are multiplied, what else is read, and what becomes of the products."""

    matrices: tuple[str, ...]
    others: tuple[str, ...]
    matrix: str
    result: str


_SWIGLU = "gate[r] / (1.0f + exp(-gate[r])) * up[r]"
_FORMS = {
    "plain": _Form(("weight",), (), "0", "weight[r]"),
    "bias": _Form(("weight",), ("bias",), "0", "weight[r] + float(bias[first + r])"),
    "residual": _Form(("weight",), ("residual",), "0", "float(residual[first + r]) + weight[r]"),
    "swiglu": _Form(("gate", "up"), (), "0", _SWIGLU),
    "expert_swiglu": _Form(("gate", "up"), ("experts",), "experts[slot]", _SWIGLU),
}


def _kernel(name: str, form: _Form) -> Kernel:
    products = "".join(_PRODUCT.replace("NAME", matrix) for matrix in form.matrices)
    sums = "\n        ".join(f"{matrix}[r] = simd_sum({matrix}[r]);" for matrix in form.matrices)
    accumulators = "".join(f"    float {matrix}[ROWS] = {{0, 0, 0, 0}};\n" for matrix in form.matrices)
    body = (
        _BEGIN.replace("MATRIX", form.matrix)
        + accumulators
        + _STEP.replace("PRODUCTS", products)
        + _END.replace("SUMS", sums).replace("RESULT", form.result)
    )
    arrays = (f"{matrix}_{part}" for matrix in form.matrices for part in ("codes", "scales", "offsets"))
    names = ("inputs", "width", "rows", *arrays, *form.others)
    return Kernel(f"quantized_matvec_{name}", names, ("out",), body)


KERNELS = {name: _kernel(name, form) for name, form in _FORMS.items()}


def supports(layer: nn.Module, x: mx.array, kind: type[nn.Module] = nn.QuantizedLinear) -> bool:
    """One token, and an affine layer of 4 or 8 bits that takes its input as it comes."""
    return x.size == x.shape[-1] and type(layer) is kind and layer.mode == "affine" and layer.bits in (4, 8)


def alike(layers: Sequence[nn.Module], x: mx.array, kind: type[nn.Module] = nn.QuantizedLinear) -> bool:
    """Whether these layers without a bias are quantised in one way that `supports` takes."""
    first = layers[0]
    return all(
        supports(layer, x, kind)
        and "bias" not in layer
        and (layer.bits, layer.group_size) == (first.bits, first.group_size)
        for layer in layers
    )


def matvec(
    layer: nn.Module, x: mx.array, residual: mx.array | None = None, with_bias: bool = True
) -> mx.array | None:
    """`layer(x)`, or without its bias, plus `residual` if given; shapes (..., 1, width).

    None where the kernel does not run. A layer with both a bias and a residual is not of this family.
    """
    if residual is not None:
        return _launch("residual", x, [layer], [residual], 1)
    if with_bias and "bias" in layer:
        return _launch("bias", x, [layer], [layer["bias"]], 1)
    return _launch("plain", x, [layer], [], 1)


def swiglu(gate: nn.Module, up: nn.Module, x: mx.array) -> mx.array | None:
    """silu(gate(x)) * up(x) for x (..., 1, width); None where the kernel does not run."""
    return _launch("swiglu", x, [gate, up], [], 1)


def expert_swiglu(gate: nn.Module, up: nn.Module, x: mx.array, experts: mx.array) -> mx.array | None:
    """silu(gate_e(x)) * up_e(x) for each chosen expert e: x (..., 1, width) and experts (..., 1, k).

    `gate` and `up` hold all experts' weights (experts, rows, width). Returns (..., 1, k, rows), or None
    where the kernel does not run.
    """
    return _launch("expert_swiglu", x, [gate, up], [experts.flatten()], experts.size)


def _launch(
    form: str, x: mx.array, layers: Sequence[nn.Module], others: Sequence[mx.array], slots: int
) -> mx.array | None:
    first: Any = layers[0]
    rows = first.weight.shape[-2]
    arrays = [layer[part] for layer in layers for part in ("weight", "scales", "biases")]
    blocks = -(-rows // (ROWS * SIMDGROUPS))
    launch = Launch(
        [x.flatten(), x.size, rows, *arrays, *(other.flatten() for other in others)],
        [
            ("BITS", first.bits),
            ("Q", first.group_size),
            ("ROWS", ROWS),
            ("SIMDGROUPS", SIMDGROUPS),
            ("T", x.dtype),
        ],
        (blocks * SIMDGROUPS * 32, slots, 1),
        (SIMDGROUPS * 32, 1, 1),
        [(slots, rows)],
        [x.dtype],
    )
    outputs = KERNELS[form](launch)
    if outputs is None:
        return None
    return outputs[0].reshape(*x.shape[:-1], *((slots,) if form == "expert_swiglu" else ()), rows)
