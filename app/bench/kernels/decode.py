"""One decoded token, launch by launch: with mlx-lm's model and MLX's own kernels, and with ours.

Weights are affine codes in groups of 64 with 16-bit scales and offsets, states 16-bit. Bytes are those
that must be moved at least once: that MLX's attention lets every query head read its keys anew is left to
the caches.
"""

from dataclasses import dataclass

from app.bench.kernels.work import Work
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.kernels.decode_attention import LEAST_KEYS, stretches

GROUP_SIZE = 64
STATE = 2  # bytes of a state, scale or offset

#: From so many keys on MLX's attention of one query takes two passes.
TWO_PASS_KEYS = 1024


@dataclass(frozen=True)
class Token:
    """What is decoded: `keys` are in the cache, the new one included; `kv` None is 16 bits."""

    config: ModelConfig
    keys: int
    bits: int = 4
    kv: KVFormat | None = None
    spans: int = 1

    @property
    def heads(self) -> int:
        return self.config.num_attention_heads

    @property
    def kv_heads(self) -> int:
        return self.config.num_key_value_heads

    @property
    def qkv(self) -> int:
        """Channels of queries, keys and values together."""
        return (self.heads + 2 * self.kv_heads) * self.config.head_dim

    def matrix(self, name: str, width: int, rows: int, matrices: int = 1, launches: int = 1) -> Work:
        """`matrices` products of one state with quantised weights."""
        weights = matrices * rows * width * (self.bits / 8 + 2 * STATE / GROUP_SIZE)
        return Work(
            name, launches, weights + STATE * (width + matrices * rows), 2.0 * matrices * rows * width
        )

    def elementwise(self, name: str, elements: int, launches: int = 1, arrays: int = 3) -> Work:
        """A few operations on each of so many elements of a few arrays."""
        return Work(name, launches, STATE * elements * arrays, 4.0 * elements)

    def attention_bytes(self) -> float:
        """Keys and values of one layer, in what the cache holds."""
        key, value = (16, 16) if self.kv is None else (self.kv.keys, self.kv.values)
        extra = 0 if self.kv is None else 2 * 2 * STATE / min(GROUP_SIZE, self.config.head_dim)
        return self.kv_heads * self.keys * self.config.head_dim * ((key + value) / 8 + extra)

    def attention_flops(self) -> float:
        return 4.0 * self.heads * self.keys * self.config.head_dim


def stock_layer(token: Token) -> list[Work]:
    """One dense layer of mlx-lm's model with its 16-bit cache."""
    config, hidden = token.config, token.config.hidden_size
    plain = Token(config, token.keys, token.bits)
    passes = 2 if token.keys >= TWO_PASS_KEYS else 1
    return [
        token.elementwise("rms norm", hidden, 2),
        token.matrix("q, k, v", hidden, token.qkv, launches=3),
        token.elementwise("q, k, v bias", token.qkv, 3),
        token.elementwise("rope", token.qkv, 2, arrays=2),
        token.elementwise("cache write", 2 * token.kv_heads * config.head_dim, 2, arrays=2),
        Work("attention", passes, plain.attention_bytes(), plain.attention_flops()),
        token.matrix("o", token.heads * config.head_dim, hidden),
        *(_stock_mlp(token) if config.moe is None else _stock_experts(token)),
        token.elementwise("residual", hidden, 2),
    ]


def _stock_mlp(token: Token) -> list[Work]:
    hidden, wide = token.config.hidden_size, token.config.intermediate_size
    return [
        token.matrix("gate, up", hidden, wide, matrices=2, launches=2),
        token.elementwise("SwiGLU", wide),
        token.matrix("down", wide, hidden),
    ]


def _stock_experts(token: Token) -> list[Work]:
    """mlx-lm's sparse block: router, chosen experts, shared expert."""
    moe, hidden = token.config.moe, token.config.hidden_size
    assert moe is not None
    chosen, wide, shared = (
        moe.num_experts_per_tok,
        moe.moe_intermediate_size,
        moe.shared_expert_intermediate_size,
    )
    return [
        token.matrix("router", hidden, moe.num_experts),
        token.elementwise("softmax, choice", moe.num_experts, 4),
        token.elementwise("experts' indices", chosen, 3, arrays=1),
        token.matrix("experts' gate, up", hidden, wide, matrices=2 * chosen, launches=2),
        token.elementwise("experts' SwiGLU", chosen * wide),
        token.matrix("experts' down", wide, hidden, matrices=chosen),
        token.elementwise("experts' sum", chosen * hidden, 2),
        token.matrix("shared gate, up", hidden, shared, matrices=2, launches=2),
        token.elementwise("shared SwiGLU", shared),
        token.matrix("shared down", shared, hidden),
        token.matrix("shared share", hidden, 1),
        token.elementwise("shared sum", hidden, 3),
    ]


def our_layer(token: Token) -> list[Work]:
    """One dense layer of ours with every kernel in place."""
    config, hidden = token.config, token.config.hidden_size
    cached = 2 * token.kv_heads * config.head_dim
    # Keys and values each: one launch for the codes, then codes, scales and offsets into the cache.
    writes = 2 if token.kv is None else 8
    return [
        token.elementwise("rms norm", hidden, 2),
        token.matrix("q, k, v", hidden, token.qkv),
        token.elementwise("bias and rope", token.qkv, arrays=1 + token.spans),
        token.elementwise("cache write", cached, writes, arrays=2),
        our_attention(token),
        token.matrix("o and residual", token.heads * config.head_dim, hidden),
        *(_our_mlp(token) if config.moe is None else _our_experts(token)),
    ]


def _our_mlp(token: Token) -> list[Work]:
    hidden, wide = token.config.hidden_size, token.config.intermediate_size
    return [
        token.matrix("gate, up, SwiGLU", hidden, wide, matrices=2),
        token.matrix("down and residual", wide, hidden),
    ]


def _our_experts(token: Token) -> list[Work]:
    """Our sparse block; the router computes in float32, hence its conversions."""
    moe, hidden = token.config.moe, token.config.hidden_size
    assert moe is not None
    chosen, wide, shared = (
        moe.num_experts_per_tok,
        moe.moe_intermediate_size,
        moe.shared_expert_intermediate_size,
    )
    return [
        token.matrix("router", hidden, moe.num_experts, launches=2),
        token.elementwise("softmax, choice", moe.num_experts, 5),
        token.matrix("experts' gate, up, SwiGLU", hidden, wide, matrices=2 * chosen),
        token.elementwise("experts' indices", chosen, arrays=1),
        token.matrix("experts' down", wide, hidden, matrices=chosen),
        token.elementwise("experts' sum", chosen * hidden),
        token.matrix("shared gate, up, SwiGLU", hidden, shared, matrices=2),
        token.matrix("shared down", shared, hidden),
        token.matrix("shared share", hidden, 1),
        token.elementwise("shared sum, residual", hidden, 6),
    ]


def our_attention(token: Token) -> Work:
    """The decode attention kernel; from a few hundred keys on with the pass that adds its stretches up."""
    parts = stretches(1, token.kv_heads, token.keys)
    merged = 0 if token.keys <= LEAST_KEYS else 2 * 4 * token.heads * parts * (token.config.head_dim + 2)
    return Work(
        "attention", 1 if merged == 0 else 2, token.attention_bytes() + merged, token.attention_flops()
    )


def head(token: Token) -> list[Work]:
    """What surrounds the layers, alike in both: embedding, last norm, the product with the vocabulary."""
    hidden, vocabulary = token.config.hidden_size, token.config.vocab_size
    return [
        token.elementwise("embedding", hidden, 4),
        token.elementwise("last norm", hidden),
        token.matrix("vocabulary", hidden, vocabulary),
    ]
