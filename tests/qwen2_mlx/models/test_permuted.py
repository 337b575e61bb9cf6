"""A quantised layer that takes its input in another order."""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.models import build
from qwen2_mlx.models.permuted import PermutedQuantizedLinear, permute_like
from tests import checkpoints

ORDER = np.random.default_rng(0).permutation(64).astype(np.int32)


def model_with(orders: dict[str, np.ndarray]) -> Any:
    model: Any = build(ModelConfig.from_dict({**checkpoints.DENSE, "hidden_size": 64}))
    nn.quantize(model, group_size=32, bits=4)
    tensors = {f"model.layers.0.self_attn.{name}.perm": mx.array(order) for name, order in orders.items()}
    permute_like(model, tensors)
    for name in orders:
        model.layers[0].self_attn[name].perm = tensors[f"model.layers.0.self_attn.{name}.perm"]
    return model


@pytest.mark.parametrize("bias", [True, False])
def test_sorted_columns_and_a_gathered_input_make_the_same_product(bias: bool) -> None:
    floats = nn.Linear(64, 32, bias=bias)
    permuted = PermutedQuantizedLinear.of(nn.QuantizedLinear(64, 32, bias, group_size=32, bits=8))
    parts = mx.quantize(floats.weight[:, mx.array(ORDER)], 32, 8)
    permuted.weight, permuted.scales, permuted.biases = parts
    if bias:
        permuted.bias = floats.bias
    permuted.perm = mx.array(ORDER)
    x = mx.random.normal((2, 3, 64), key=mx.random.key(0))
    unsorted = mx.dequantize(*parts, 32, 8)[:, mx.array(np.argsort(ORDER))]
    expected = x @ unsorted.T + (floats.bias if bias else 0)
    assert mx.abs(permuted(x) - expected).max() < 1e-5


def test_only_layers_with_an_order_change() -> None:
    model = model_with({"o_proj": ORDER})
    attention = model.layers[0].self_attn
    assert isinstance(attention.o_proj, PermutedQuantizedLinear)
    assert not isinstance(attention.q_proj, PermutedQuantizedLinear)
    assert attention.o_proj.trainable_parameters() == {}


def test_projections_with_one_order_are_fused_and_keep_it() -> None:
    model = model_with(dict.fromkeys(("q_proj", "k_proj", "v_proj"), ORDER))
    attention = model.layers[0].self_attn
    x = mx.random.normal((1, 5, 64), key=mx.random.key(0))
    apart = attention.project(x)
    attention.fuse()
    assert attention.qkv_proj.perm.shape == (64,)
    assert mx.abs(attention.project(x) - apart).max() < 1e-5


@pytest.mark.parametrize("orders", [(ORDER, ORDER[::-1]), (ORDER, None)], ids=["different", "missing"])
def test_projections_with_different_orders_stay_apart(orders: tuple) -> None:
    first, other = orders
    given = {"q_proj": first, "k_proj": first} | ({} if other is None else {"v_proj": other.copy()})
    model = model_with(given)
    attention = model.layers[0].self_attn
    attention.fuse()
    assert "qkv_proj" not in attention


@pytest.mark.parametrize(
    "order",
    [
        np.zeros(64, np.int32),
        np.arange(1, 65, dtype=np.int32),
        np.arange(-1, 63, dtype=np.int32),
        np.arange(63, dtype=np.int32),
        np.arange(64, dtype=np.int32).reshape(8, 8),
    ],
    ids=["repeats", "beyond", "negative", "short", "square"],
)
def test_an_order_that_does_not_name_every_channel_once_is_refused(order: np.ndarray) -> None:
    with pytest.raises(CheckpointError, match=r"o_proj.perm is damaged"):
        model_with({"o_proj": order})
