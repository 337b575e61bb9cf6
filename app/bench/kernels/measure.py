"""Attention of one token on this machine's GPU: ours beside MLX's, on caches of the asked shape."""

import time
from collections.abc import Callable
from typing import TypedDict

import mlx.core as mx

from app.bench.kernels.decode import Token, our_attention, stock_layer
from app.bench.kernels.work import MACS, seconds
from qwen2_mlx.attention.stores import DenseStore, Quantized, QuantizedStore, Store
from qwen2_mlx.attention.tiles import QuerySpan
from qwen2_mlx.cache.quantized import group_size
from qwen2_mlx.kernels.decode_attention import decode_attention

_RUNS = 20


class Measured(TypedDict):
    """Milliseconds of one layer's attention, and those predicted for `mac`, the Mac of this name.

    None where a kernel does not run.
    """

    stock_ms: float | None
    ours_ms: float | None
    mac: str | None
    stock_predicted_ms: float | None
    ours_predicted_ms: float | None


def measured(token: Token) -> Measured | None:
    """Both kernels on random keys and values; None without Metal."""
    if not mx.metal.is_available():
        return None
    config = token.config
    shape = (1, token.kv_heads, token.keys, config.head_dim)
    keys, values = (mx.random.normal(shape).astype(mx.bfloat16) for _ in range(2))
    query = mx.random.normal((1, token.heads, 1, config.head_dim)).astype(mx.bfloat16)
    store: Store = DenseStore(keys, values)
    if token.kv:
        store = QuantizedStore(_quantized(keys, token.kv.keys), _quantized(values, token.kv.values))
    scale = config.head_dim**-0.5
    span = QuerySpan(query, 0, token.keys)
    name = str(mx.device_info().get("device_name", "")).removeprefix("Apple ")
    mac = next((mac for mac in MACS if mac.name == name), None)
    stock = next(row for row in stock_layer(token) if row.name == "attention")
    return Measured(
        stock_ms=_milliseconds(
            lambda: mx.fast.scaled_dot_product_attention(query, keys, values, scale=scale)
        ),
        ours_ms=_milliseconds(lambda: decode_attention([span], store, scale)),
        mac=mac and mac.name,
        stock_predicted_ms=mac and 1e3 * seconds(stock, mac),
        ours_predicted_ms=mac and 1e3 * seconds(our_attention(token), mac),
    )


def _quantized(x: mx.array, bits: int) -> Quantized:
    group = group_size(x.shape[-1])
    codes, scales, offsets = mx.quantize(x, group_size=group, bits=bits)
    return Quantized((codes, scales, offsets), group, bits)


def _milliseconds(run: Callable[[], mx.array | None]) -> float | None:
    """The median of several runs, each waited for; None where there is no result."""
    if run() is None:
        return None
    times = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        mx.eval(run())
        times.append(time.perf_counter() - started)
    return 1e3 * sorted(times[1:])[_RUNS // 2]
