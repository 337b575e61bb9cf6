"""Between the caches of a model and the tensors of an entry."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np

from qwen2_mlx.cache import KVFormat
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.entry import ITEM_BYTES, TOKENS, Tensor

_DTYPES = {"U8": mx.uint8, "U32": mx.uint32, "F16": mx.float16, "BF16": mx.bfloat16, "F32": mx.float32}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_UNSIGNED = {1: mx.uint8, 2: mx.uint16, 4: mx.uint32}

#: What each layer's cache holds, by name.
LayerTensors = list[dict[str, mx.array]]


def token_array(tokens: Sequence[int]) -> np.ndarray:
    """Token ids as entries hold them: little-endian, four bytes each."""
    return np.asarray(tokens, dtype="<u4")


def layout(model: Model, form: KVFormat | None) -> tuple[Tensor, ...]:
    """The tensors of an entry of one token: its id, then layer by layer what the cache holds.

    Learnt from a pass that is described and never computed.
    """
    cache = model.make_cache(form)
    model(mx.array([[0]]), cache=cache)
    return Tensor(TOKENS, "U32", (1,)), *(
        Tensor(f"{layer}.{name}", _NAMES[array.dtype], array.shape)
        for layer, layer_cache in enumerate(cache)
        for name, array in layer_cache.tensors().items()
    )


def for_tokens(one: tuple[Tensor, ...], tokens: int) -> tuple[Tensor, ...]:
    """The layout of an entry of `tokens` tokens from that of one; they lie on axis 2 of a cache."""
    return replace(one[0], shape=(tokens,)), *(
        replace(tensor, shape=(*tensor.shape[:2], tokens, *tensor.shape[3:])) for tensor in one[1:]
    )


def payload(tokens: np.ndarray, cache: Sequence[Any]) -> Iterator[memoryview]:
    """The bytes of an entry's tensors, in the order of `layout`. One at a time is copied."""
    yield memoryview(tokens.tobytes())
    for layer_cache in cache:
        for array in layer_cache.tensors().values():
            yield raw_bytes(array)


def raw_bytes(array: mx.array) -> memoryview:
    """The array's bytes in row-major order, without a copy where they already lie so."""
    words: Any = mx.contiguous(array).view(_UNSIGNED[array.dtype.size])
    return memoryview(words).cast("B")


def from_bytes(tensor: Tensor, data: bytearray) -> mx.array:
    """An array of its own from the bytes of an entry's tensor."""
    words = np.frombuffer(data, dtype=f"<u{ITEM_BYTES[tensor.dtype]}").reshape(tensor.shape)
    return mx.array(words).view(_DTYPES[tensor.dtype])


def layers_of(arrays: dict[str, mx.array]) -> LayerTensors:
    """The tensors of an entry by layer; the token ids belong to none."""
    by_layer: LayerTensors = []
    for name, array in arrays.items():
        layer, _, part = name.partition(".")
        if part:
            by_layer.extend({} for _ in range(len(by_layer), int(layer) + 1))
            by_layer[int(layer)][part] = array
    return by_layer


def beginning(layer: dict[str, mx.array], tokens: int) -> dict[str, mx.array]:
    """The first `tokens` of a layer's tensors, in memory of their own where that is less."""
    if all(array.shape[2] == tokens for array in layer.values()):
        return layer
    short = {name: mx.contiguous(array[:, :, :tokens]) for name, array in layer.items()}
    mx.eval(short)
    return short
