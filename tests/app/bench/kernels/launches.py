"""The launches of one decoded token as MLX records them, a layer of a small model at a time.

On a CPU MLX takes its fused functions to pieces, so each is replaced by a kernel that stands for it.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx_lm.models.qwen2 as stock_dense
import mlx_lm.models.qwen2_moe as stock_moe
import mlx_lm.models.switch_layers as switch_layers
import pytest
from mlx.utils import tree_map_with_path
from mlx_lm.models.cache import make_prompt_cache

from app.bench.sizes import OFFICIAL
from quant.affine import quantize_model
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.kernels.kernel import Kernel
from qwen2_mlx.kernels.use import VARIABLE
from qwen2_mlx.models import build, products

#: So many keys that MLX's attention of one query takes two passes, and ours several stretches.
KEYS = 1100

#: Primitives that only look at memory in another way.
VIEWS = frozenset(
    ("Reshape", "Transpose", "Slice", "Broadcast", "Flatten", "Unflatten", "ExpandDims", "Squeeze", "Split")
)

_SMALL = {
    "hidden_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 128,
    "vocab_size": 256,
}
_SMALL_EXPERTS = {"moe_intermediate_size": 64, "shared_expert_intermediate_size": 64}


def stock_launches(size: str) -> int:
    """Of one layer of mlx-lm's model of the shape of `size`."""

    def make(raw: dict[str, Any]) -> tuple[Any, Any]:
        module: Any = stock_moe if "num_experts" in raw else stock_dense
        model = module.Model(module.ModelArgs.from_dict({**raw, "rope_scaling": None}))
        nn.quantize(model, 64, 4)
        _cast(model)
        return model, make_prompt_cache(model)

    return _per_layer(size, make, kernels="off")


def our_launches(size: str, kv: KVFormat | None = None) -> int:
    """Of one layer of ours, with every kernel in place."""

    def make(raw: dict[str, Any]) -> tuple[Any, Any]:
        model = build(ModelConfig.from_dict(raw).with_rope("plain"))
        quantize_model(model, 4, 64)
        model.fuse()
        _cast(model)
        return model, model.make_cache(kv)

    return _per_layer(size, make, kernels="on")


def _per_layer(size: str, make: Callable[[dict[str, Any]], tuple[Any, Any]], kernels: str) -> int:
    raw = OFFICIAL[size] | _SMALL
    if "num_experts" in raw:
        raw |= _SMALL_EXPERTS
    one, two = (_launches(*make(raw | {"num_hidden_layers": layers}), kernels) for layers in (1, 2))
    return sum((two - one).values())


def _launches(model: Any, cache: Any, kernels: str) -> Counter[str]:
    found: Counter[str] = Counter()

    def record(event: dict[str, Any]) -> None:
        if event["type"] == "primitive" and event["name"] not in VIEWS:
            found[event["arguments"][0] if event["name"] == "CustomKernel" else event["name"]] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "off")
        model(mx.zeros((1, KEYS), mx.int32), cache=cache)
        mx.eval([layer.state for layer in cache])
        patch.setenv(VARIABLE, kernels)
        patch.setattr(Kernel, "__call__", Kernel._run)  # recorded, although it never ran
        _replace_fused(patch)
        mx.export_function(record, lambda token: model(token, cache=cache), mx.zeros((1, 1), mx.int32))
    return found


def _cast(model: Any) -> None:
    """Weights and states in 16 bits, but for those that stay in float32."""
    keeps = getattr(model, "keeps_float32", lambda path: False)

    def cast(path: str, weight: mx.array) -> mx.array:
        return weight.astype(mx.bfloat16) if weight.dtype == mx.float32 and not keeps(path) else weight

    model.update(tree_map_with_path(cast, model.parameters()))


def _replace_fused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mx.fast, "rms_norm", _standing_for("rms_norm"))
    patch.setattr(mx.fast, "rope", _standing_for("rope"))
    patch.setattr(mx.fast, "scaled_dot_product_attention", _standing_for("attention", launches=2))
    gate = _standing_for("swiglu")
    for module in (stock_dense, stock_moe, products):
        patch.setattr(module, "swiglu", gate, raising=False)
    patch.setattr(switch_layers.SwiGLU, "__call__", lambda _, x, gate_x: gate(x, gate_x))


def _standing_for(name: str, launches: int = 1) -> Callable[..., mx.array]:
    """A function that takes arrays and gives the first, in so many launches that need all of them."""

    def run(*arrays: mx.array, **_options: Any) -> mx.array:
        inputs = [array for array in arrays if isinstance(array, mx.array)]
        copy: Any = mx.fast.metal_kernel(
            name=name,
            input_names=[f"x{i}" for i in range(len(inputs))],
            output_names=["y"],
            source="y[thread_position_in_grid.x] = x0[thread_position_in_grid.x];",
        )
        for _ in range(launches):
            first = inputs[0]
            inputs[0] = copy(
                inputs=inputs,
                grid=(first.size, 1, 1),
                threadgroup=(32, 1, 1),
                output_shapes=[first.shape],
                output_dtypes=[first.dtype],
            )[0]
        return inputs[0]

    return run
