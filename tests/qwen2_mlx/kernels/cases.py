"""Small inputs for every kernel, and in double precision what it must make of them."""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models.switch_layers import SwitchLinear

from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.rope import Rope, inverse_frequencies
from qwen2_mlx.attention.sparse import BLOCK, TILE, Choice, choose
from qwen2_mlx.attention.stores import DenseStore, Quantized, QuantizedStore, Store
from qwen2_mlx.attention.tiles import QuerySpan
from qwen2_mlx.config import DualChunkConfig, RopeConfig
from qwen2_mlx.kernels.decode_attention import decode_attention
from qwen2_mlx.kernels.prefill_attention import prefill_attention
from qwen2_mlx.kernels.quantized_matvec import expert_swiglu, matvec, swiglu
from qwen2_mlx.kernels.rotate_heads import Heads, rotate_heads
from tests.metal_host.rounding import as_double

ROPE = RopeConfig(1e4)


@dataclass(frozen=True)
class Attention:
    """`time` new tokens over `keys` keys in all, which they see in spans that begin at `starts`.

    `form` is "dense", or the bits of keys and values ("8", "8/4"), with a "b" where the keys lack their bias.
    `chunk` is the length of a chunk, 0 for none: what the biased keys' positions wrap around at.
    `bias` is the size of the bias; a large one leaves weight to a few keys only. With `keep` not all tiles
    are attended to (see `sparse`).
    """

    heads: int
    kv_heads: int
    dim: int
    keys: int
    time: int = 1
    starts: tuple[int, ...] = (0,)
    form: str = "dense"
    batch: int = 1
    chunk: int = 0
    room: int = 3
    bias: float = 4.0
    keep: float = 0.0

    def __str__(self) -> str:
        shape = f"{self.heads}/{self.kv_heads}x{self.dim}"
        spans = f", {len(self.starts)} spans" if len(self.starts) > 1 else ""
        batch = f", batch {self.batch}" if self.batch > 1 else ""
        kept = f", sparse {self.keep}" if self.keep else ""
        return f"{shape}, {self.time} of {self.keys} keys, {self.form}{spans}{batch}{kept}"

    def inputs(self, dtype: mx.Dtype) -> tuple[list[QuerySpan], Store]:
        """The queries under each span's rotation, and the cache, which has room for more keys."""
        random = _Random(dtype)
        stops = (*self.starts[1:], self.keys)
        shape = (self.batch, self.heads, self.time, self.dim)
        spans = [
            QuerySpan(random(*shape), start, stop) for start, stop in zip(self.starts, stops, strict=True)
        ]
        held = (self.batch, self.kv_heads, self.keys + self.room, self.dim)
        keys, values = random(*held), random(*held)
        if self.form == "dense":
            return spans, DenseStore(keys[:, :, : self.keys], values[:, :, : self.keys])
        bias = KeyBias(self.bias * random(self.kv_heads, self.dim), Rope(ROPE, self.dim), self._dual_chunk)
        return spans, QuantizedStore(
            _quantized(keys, 8),
            _quantized(values, 4 if "4" in self.form else 8),
            bias if self.form.endswith("b") else None,
        )

    @property
    def _dual_chunk(self) -> DualChunkConfig | None:
        if not self.chunk:
            return None
        return DualChunkConfig(self.chunk, 0, self.chunk, self.keys)

    def run(self, dtype: mx.Dtype) -> mx.array:
        """What the kernel makes of it."""
        spans, store = self.inputs(dtype)
        if self.time == 1:
            result = decode_attention(spans, store, self.dim**-0.5)
        else:
            result = prefill_attention(spans, store, self.dim**-0.5, self._choice(spans, store))
        assert result is not None, "the kernel did not run"
        return result

    def reference(self, dtype: mx.Dtype) -> np.ndarray:
        """What it must make of it, from the same inputs in `dtype`."""
        spans, store = self.inputs(dtype)
        keys, values = self._as_double(store)
        group = self.heads // self.kv_heads
        keys, values = (np.repeat(x, group, axis=1) for x in (keys, values))
        scores = [
            as_double(span.queries) @ keys[:, :, span.start : span.stop].swapaxes(-1, -2) for span in spans
        ]
        joined = np.concatenate(scores, axis=-1) * self.dim**-0.5
        hidden = np.arange(self.keys) > self.keys - self.time + np.arange(self.time)[:, None]
        hidden = hidden | self._left_out(self._choice(spans, store))
        joined = np.where(hidden, -np.inf, joined)
        weights = np.exp(joined - joined.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True) @ values

    def _choice(self, spans: list[QuerySpan], store: Store) -> Choice | None:
        return choose(spans, store, self.dim**-0.5, self.keep) if self.keep else None

    def _left_out(self, choice: Choice | None) -> np.ndarray:
        """Which keys a query of a head may not look at, as the tiles were chosen: bool."""
        if choice is None:
            return np.zeros(1, bool)
        stops = (*self.starts[1:], self.keys)
        spans = [
            tiles.repeat(BLOCK, axis=1)[:, : self.time].repeat(TILE, axis=2)[:, :, : stop - start]
            for tiles, start, stop in zip(choice.tiles, self.starts, stops, strict=True)
        ]
        return ~np.concatenate(spans, axis=2)

    def _as_double(self, store: Store) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(store, DenseStore):
            return as_double(store.keys), as_double(store.values)
        assert isinstance(store, QuantizedStore)
        keys, values = (as_double(part.dense(0, self.keys)) for part in (store.keys, store.values))
        if store.key_bias:
            positions = np.arange(self.keys) % (self.chunk or self.keys)
            angles = positions[:, None] * inverse_frequencies(ROPE, self.dim)
            first, second = np.split(as_double(store.key_bias.bias)[:, None], 2, axis=-1)
            cos, sin = np.cos(angles), np.sin(angles)
            keys = keys + np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
        return keys, values


@dataclass(frozen=True)
class Matvec:
    """A state of `width` channels times `rows` rows of codes; `form` is that of `quantized_matvec`."""

    form: str
    width: int
    rows: int
    bits: int = 4
    group: int = 64

    def __str__(self) -> str:
        return f"{self.form}, {self.width} x {self.rows}, {self.bits} bits by {self.group}"

    def run(self, dtype: mx.Dtype) -> mx.array:
        """What the kernel makes of it."""
        x, layers, residual, experts = self._inputs(dtype)
        match self.form:
            case "plain":
                result = matvec(layers[0], x, with_bias=False)
            case "bias":
                result = matvec(layers[0], x)
            case "residual":
                result = matvec(layers[0], x, residual)
            case "swiglu":
                result = swiglu(layers[0], layers[1], x)
            case _:
                result = expert_swiglu(layers[0], layers[1], x, experts)
        assert result is not None, "the kernel did not run"
        return result

    def reference(self, dtype: mx.Dtype) -> np.ndarray:
        """What it must make of it."""
        x, layers, residual, experts = self._inputs(dtype)
        products = [as_double(x) @ self._weights(layer).swapaxes(-1, -2) for layer in layers]
        if self.form == "bias":
            return products[0] + as_double(layers[0]["bias"])
        if self.form == "residual":
            return products[0] + as_double(residual)
        if self.form == "plain":
            return products[0]
        gate, up = products
        joined = gate / (1 + np.exp(-gate)) * up
        return joined if self.form == "swiglu" else joined[np.array(experts)[0, 0], 0][None, None]

    def _inputs(self, dtype: mx.Dtype) -> tuple[mx.array, list[nn.Module], mx.array, mx.array]:
        random = _Random(dtype)
        made = [self._layer(random) for _ in range(2 if "swiglu" in self.form else 1)]
        return random(1, 1, self.width), made, random(1, 1, self.rows), mx.array([[[2, 0]]])

    def _layer(self, random: "_Random") -> nn.Module:
        if self.form == "expert_swiglu":
            several = SwitchLinear(self.width, self.rows, 3, bias=False)
            several.weight = random(3, self.rows, self.width) * self.width**-0.5
            return several.to_quantized(self.group, self.bits)
        layer = nn.Linear(self.width, self.rows, bias=self.form in ("plain", "bias"))
        layer.weight = random(self.rows, self.width) * self.width**-0.5
        if "bias" in layer:
            layer.bias = random(self.rows)
        return nn.QuantizedLinear.from_linear(layer, self.group, self.bits)

    def _weights(self, layer: nn.Module) -> np.ndarray:
        scales, offsets = (layer[part].astype(mx.float32) for part in ("scales", "biases"))
        return as_double(mx.dequantize(layer["weight"], scales, offsets, self.group, self.bits))


@dataclass(frozen=True)
class Rotation:
    """The heads of a new token under the rotation of each of `spans` spans."""

    heads: int
    kv_heads: int
    dim: int
    spans: int = 1
    batch: int = 1
    key_bias: bool = True

    def __str__(self) -> str:
        keys = "" if self.key_bias else ", keys without bias"
        return f"{self.heads}/{self.kv_heads}x{self.dim}, spans {self.spans}, batch {self.batch}{keys}"

    def run(self, dtype: mx.Dtype) -> mx.array:
        """What the kernel makes of it: all of its outputs side by side."""
        products, bias, angles = self._inputs(dtype)
        heads = Heads(self.heads, self.kv_heads, self.dim)
        made = rotate_heads(products, bias, mx.cos(angles), mx.sin(angles), heads, self.key_bias)
        assert made is not None, "the kernel did not run"
        return mx.concatenate([part.flatten() for part in made])

    def reference(self, dtype: mx.Dtype) -> np.ndarray:
        """What it must make of it."""
        products, bias, angles = self._inputs(dtype)
        rows = as_double(products).reshape(self.batch, -1, self.dim)
        biased = rows + as_double(bias).reshape(-1, self.dim)
        end = self.heads + self.kv_heads
        keys = (biased if self.key_bias else rows)[:, self.heads : end]
        turns = as_double(angles)
        queries = [self._turned(biased[:, : self.heads], turn) for turn in turns[:-1]]
        parts = [np.stack(queries), self._turned(keys, turns[-1]), biased[:, end:]]
        return np.concatenate([part.ravel() for part in parts])

    def _turned(self, x: np.ndarray, angles: np.ndarray) -> np.ndarray:
        first, second = np.split(x, 2, axis=-1)
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)

    def _inputs(self, dtype: mx.Dtype) -> tuple[mx.array, mx.array, mx.array]:
        random = _Random(dtype)
        width = (self.heads + 2 * self.kv_heads) * self.dim
        angles = _Random(mx.float32)(self.spans + 1, self.dim // 2)
        return random(self.batch, 1, width), random(width), angles


Case = Attention | Matvec | Rotation

#: Ragged and small, and the heads of the five official models (0.5B, 1.5B, 7B with 57B-A14B, 72B).
DECODE = (
    Attention(2, 1, 32, 1),
    Attention(4, 2, 32, 33, batch=2),
    Attention(14, 2, 64, 200),
    Attention(12, 2, 128, 257, form="8"),
    Attention(28, 4, 128, 300, starts=(0, 100, 250)),
    Attention(64, 8, 128, 40, form="8/4"),
    Attention(14, 2, 64, 700, starts=(0, 256, 513), form="8/4b", chunk=256),
    Attention(6, 1, 32, 600, starts=(0, 300), form="8b"),
    Attention(8, 1, 64, 513, form="8/4", batch=2),
)
PREFILL = (
    Attention(2, 1, 32, 2, time=2),
    Attention(4, 2, 32, 70, time=33, batch=2),
    Attention(14, 2, 64, 65, time=32),
    Attention(7, 1, 128, 80, time=9, starts=(0, 20, 60)),
    Attention(6, 1, 64, 100, time=40, starts=(0, 50), form="8"),
    Attention(8, 1, 128, 50, time=17, form="8/4"),
    Attention(2, 1, 64, 300, time=20, starts=(0, 128, 256), form="8/4b", chunk=128),
    Attention(2, 2, 32, 64, time=64, form="8b"),
    Attention(2, 1, 32, 420, time=70, starts=(0, 150), keep=0.3),
    Attention(2, 1, 64, 700, time=40, starts=(0, 256, 512), form="8b", chunk=256, keep=0.3),
)
MATVEC = (
    Matvec("plain", 64, 3),
    Matvec("plain", 896, 8),
    Matvec("bias", 128, 21, bits=8, group=32),
    Matvec("residual", 4864, 5),
    Matvec("swiglu", 896, 13),
    Matvec("swiglu", 96, 8, bits=8, group=32),
    Matvec("expert_swiglu", 192, 9),
)
ROTATION = (
    Rotation(2, 1, 32),
    Rotation(14, 2, 64, spans=3),
    Rotation(4, 2, 128, spans=2, batch=2, key_bias=False),
)
CASES: tuple[Case, ...] = (*DECODE, *PREFILL, *MATVEC, *ROTATION)

#: How far from the reference a result may be, in steps of its type at the largest value (see `rounding`).
STEPS = {mx.float32: 16, mx.float16: 2, mx.bfloat16: 2}


class _Random:
    """Normal numbers, the same ones every time."""

    def __init__(self, dtype: mx.Dtype):
        self._dtype, self._key = dtype, mx.random.key(7)

    def __call__(self, *shape: int) -> mx.array:
        self._key, key = mx.random.split(self._key)
        return mx.random.normal(shape, key=key).astype(self._dtype)


def _quantized(x: mx.array, bits: int) -> Quantized:
    group = 64 if x.shape[-1] % 64 == 0 else 32
    codes, scales, offsets = mx.quantize(x, group_size=group, bits=bits)
    half = x.dtype if x.dtype != mx.float32 else mx.float16
    return Quantized((codes, scales.astype(half), offsets.astype(half)), group, bits)
