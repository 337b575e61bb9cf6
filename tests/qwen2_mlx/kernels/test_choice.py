"""Which kernel is asked for where, and what none of them may be given."""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from qwen2_mlx.attention import attend as attend_module
from qwen2_mlx.attention.attend import FEW_QUERIES, attend
from qwen2_mlx.attention.stores import DenseStore, Quantized, QuantizedStore, Store
from qwen2_mlx.attention.tiles import QuerySpan, whole_rows
from qwen2_mlx.kernels import decode_attention, prefill_attention
from qwen2_mlx.models import products
from tests.metal_host.host import MetalHost
from tests.metal_host.rounding import as_double, assert_rounding_level
from tests.qwen2_mlx.kernels.conftest import Use

DIM = 64


def normal(*shape: int, seed: int = 1) -> mx.array:
    return mx.random.normal(shape, key=mx.random.key(seed))


def store(keys: int, heads: int = 1, quantised: bool = False, batch: int = 1) -> Store:
    both = [normal(batch, heads, keys, DIM, seed=seed) for seed in (1, 2)]
    if not quantised:
        return DenseStore(*both)
    codes = [mx.quantize(x, group_size=DIM, bits=8) for x in both]
    held = [Quantized((a, b, c), DIM, 8) for a, b, c in codes]
    return QuantizedStore(held[0], held[1])


class Asked:
    """Stands for `wanted` and refuses: what was asked for, and whether it was said to pay."""

    def __init__(self) -> None:
        self.pays: dict[str, bool] = {}

    def __call__(self, name: str, pays: bool = True) -> bool:
        self.pays[name] = pays
        return False


@pytest.mark.parametrize(
    ("queries", "quantised", "expected"),
    [
        (1, True, {"decode_attention": True}),
        (1, False, {"decode_attention": False}),  # a short cache
        (FEW_QUERIES, True, {"prefill_attention": False}),
        (FEW_QUERIES + 1, True, {"prefill_attention": True}),
        (FEW_QUERIES + 1, False, {"prefill_attention": False}),
    ],
)
def test_attention_asks_for_a_kernel_where_it_pays(
    queries: int, quantised: bool, expected: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    monkeypatch.setattr(attend_module, "wanted", asked)
    spans = [QuerySpan(normal(1, 5, queries, DIM), 0, 40)]
    attend(spans, store(40, quantised=quantised), scale=1.0, mask="causal")
    assert asked.pays == expected


@pytest.mark.parametrize(
    ("width", "bias", "expected"), [(512, False, False), (448, False, True), (512, True, True)]
)
def test_a_product_that_mlx_does_as_well_is_left_to_it(
    width: int, bias: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    monkeypatch.setattr(products, "wanted", asked)
    products.product(nn.QuantizedLinear(width, 32, bias), normal(1, 1, width))
    assert asked.pays == {"quantized_matvec": expected}


def test_a_vocabulary_that_is_the_embedding_is_a_product_too(
    host: MetalHost, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "wanted", lambda name, pays: pays)
    launched: list[str] = []
    use(MetalHost(host.toolchain, on_launch=lambda launch: launched.append(launch.name)))
    embedding: Any = nn.QuantizedEmbedding(11, 128)
    x = normal(1, 1, 128)
    assert_rounding_level(products.as_linear(embedding, x), as_double(embedding.as_linear(x)), 16)
    assert launched == ["quantized_matvec_plain"]


@pytest.mark.parametrize("quantised", [False, True])
def test_a_cache_that_holds_fewer_keys_than_it_saw_is_not_read_beyond_its_end(quantised: bool) -> None:
    held = store(40, quantised=quantised)
    for keys, expected in ((40, True), (41, False)):
        assert decode_attention.supports([QuerySpan(normal(1, 5, 1, DIM), 0, keys)], held) == expected
        assert prefill_attention.supports([QuerySpan(normal(1, 5, 2, DIM), 0, keys)], held) == expected


def test_queries_that_stand_beside_something_else_are_read_where_they_are(host: MetalHost, use: Use) -> None:
    use(host)
    held = store(40, heads=2, batch=2)
    spans = [QuerySpan(normal(2, 6, 1, DIM)[:, :4], 0, 40)]
    result = decode_attention.decode_attention(spans, held, 0.1)
    assert result is not None
    assert_rounding_level(result, as_double(whole_rows(spans, held, 0.1)), 16)
