"""Qwen2, dense (arXiv 2407.10671, section 2.2.1).

Read from top to bottom in the order the data flows. Attributes carry the names of
the checkpoint's tensors, so that a weight's name is a search term and checkpoints
stay interchangeable with mlx-lm's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from qwen2_mlx import _mlx_lm
from qwen2_mlx.attention.attend import attend
from qwen2_mlx.attention.context import AttentionContext, attention_context, prompt_length
from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.order import after
from qwen2_mlx.attention.rope import Rope, attention_temperature
from qwen2_mlx.attention.sparse import Sparse
from qwen2_mlx.attention.tiles import QuerySpan
from qwen2_mlx.cache import KVCache, KVFormat, QuantizedKVCache
from qwen2_mlx.cache.remember import remember
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.finish import finish
from qwen2_mlx.kernels.rotate_heads import Heads, rotate_heads
from qwen2_mlx.kernels.use import allowed, wanted
from qwen2_mlx.models.permuted import PERM, same_order
from qwen2_mlx.sampling import Sampling

_mlx_lm.install()

from qwen2_mlx.models.products import as_linear, gated, product, product_without_bias  # noqa: E402


class Attention(nn.Module):
    """Grouped-query attention with biased query, key and value projections."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_heads, self.n_kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim
        self.scale = attention_temperature(config.rope) ** 2 * config.head_dim**-0.5
        self.q_proj = nn.Linear(config.hidden_size, self.n_heads * self.head_dim, bias=True)
        self.k_proj = nn.Linear(config.hidden_size, self.n_kv_heads * self.head_dim, bias=True)
        self.v_proj = nn.Linear(config.hidden_size, self.n_kv_heads * self.head_dim, bias=True)
        self.o_proj = nn.Linear(self.n_heads * self.head_dim, config.hidden_size, bias=False)

    def __call__(
        self, x: mx.array, context: AttentionContext, cache: Any, residual: mx.array | None = None
    ) -> mx.array:
        """States (batch, time, hidden) to the same, plus `residual` if given."""
        batch, time, _ = x.shape
        without_bias = getattr(cache, "removes_bias", False)
        rotated = self.rotate_together(x, context, without_bias)
        if rotated is not None:
            queries, keys, values = rotated
            piece, store = context.pieces[0], remember(cache, keys, values)
            spans = [
                QuerySpan(queries[i], span.start, span.stop, queries) for i, span in enumerate(piece.spans)
            ]
            joined = attend(spans, store, scale=self.scale * piece.gain, mask=context.mask)
            return product(self.o_proj, joined.reshape(batch, time, -1), residual)
        heads = self.project(x).reshape(batch, time, -1, self.head_dim).transpose(0, 2, 1, 3)
        own, keys = self.rotate(heads, context, without_bias)
        store = remember(cache, keys, heads[:, -self.n_kv_heads :])
        attended = []
        for piece in context.pieces:
            queries = after(heads[:, : self.n_heads, piece.start : piece.stop], attended[-1:])
            spans = [
                QuerySpan(
                    own if own is not None and span.rotate is context.rotate_keys else span.rotate(queries),
                    span.start,
                    span.stop,
                )
                for span in piece.spans
            ]
            attended.append(
                attend(
                    spans,
                    store,
                    scale=self.scale * piece.gain,
                    mask=context.mask,
                    sparse=context.sparse,
                )
            )
        joined = attended[0] if len(attended) == 1 else mx.concatenate(attended, axis=2)
        return product(self.o_proj, joined.transpose(0, 2, 1, 3).reshape(batch, time, -1), residual)

    def rotate_together(
        self, x: mx.array, context: AttentionContext, without_bias: bool
    ) -> tuple[mx.array, mx.array, mx.array] | None:
        """Queries (spans, batch, heads, 1, dim), keys and values of one new token, by one kernel.

        None where that does not run: see `rotate`.
        """
        if context.turns is None or "qkv_proj" not in self or not wanted("rotate_heads"):
            return None
        if type(self.qkv_proj) not in (nn.Linear, nn.QuantizedLinear):
            return None
        heads = Heads(self.n_heads, self.n_kv_heads, self.head_dim)
        products = product_without_bias(self.qkv_proj, x)
        return rotate_heads(products, self.qkv_proj.bias, *context.turns, heads, not without_bias)

    def project(self, x: mx.array) -> mx.array:
        """Queries, keys and values of all heads side by side: (batch, time, heads x head_dim)."""
        if "qkv_proj" in self:
            return product(self.qkv_proj, x)
        return mx.concatenate([self.q_proj(x), self.k_proj(x), self.v_proj(x)], axis=-1)

    def rotate(
        self, heads: mx.array, context: AttentionContext, without_bias: bool
    ) -> tuple[mx.array | None, mx.array]:
        """The queries as their own chunk sees them, if at hand, and the keys, turned by their positions.

        Queries and keys of one token turn in one launch, which costs more than its work.
        """
        end = self.n_heads + self.n_kv_heads
        if without_bias:
            return None, context.rotate_keys(heads[:, self.n_heads : end] - self.key_bias()[:, None])
        if heads.shape[2] == 1:
            turned = context.rotate_keys(heads[:, :end])
            return turned[:, : self.n_heads], turned[:, self.n_heads :]
        return None, context.rotate_keys(heads[:, self.n_heads : end])

    def key_bias(self) -> mx.array:
        """The bias of the key projection, (kv heads, head_dim)."""
        if "qkv_proj" in self:
            bias = self.qkv_proj.bias[self.n_heads * self.head_dim :][: self.n_kv_heads * self.head_dim]
        else:
            projection: Any = self.k_proj
            bias = getattr(projection, "linear", projection).bias  # a LoRA layer wraps the projection
        return bias.reshape(self.n_kv_heads, self.head_dim)

    def fuse(self) -> None:
        """Merges the three projections into `qkv_proj`, one matrix product instead of three.

        For inference: the parameters no longer carry the checkpoint's names. Projections
        that were quantised differently, or that take their input in different orders, stay apart.
        """
        parts = [self.q_proj, self.k_proj, self.v_proj]
        forms = {
            (type(part), *(getattr(part, name, None) for name in ("bits", "group_size", "mode")))
            for part in parts
        }
        if len(forms) > 1 or not same_order(parts):
            return
        fused = self.pop("q_proj")
        for name in fused.parameters().keys() - {PERM}:
            fused[name] = mx.concatenate([part[name] for part in parts])
        del self["k_proj"], self["v_proj"]
        self.qkv_proj = fused


class MLP(nn.Module):
    """SwiGLU feed-forward layer."""

    def __init__(self, hidden_size: int, intermediate_size: int):
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)

    def __call__(self, x: mx.array, residual: mx.array | None = None) -> mx.array:
        """States to the same shape, plus `residual` if given."""
        return product(self.down_proj, gated(self.gate_proj, self.up_proj, x), residual)


class DecoderLayer(nn.Module):
    """Attention and feed-forward, each behind an RMSNorm and added to its input."""

    def __init__(self, config: ModelConfig, mlp: nn.Module):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = mlp
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def __call__(
        self, x: mx.array, context: AttentionContext, cache: Any, in_parts: bool = False
    ) -> mx.array:
        """States (batch, time, hidden) to the same; `in_parts` bounds the memory of many tokens."""
        part = finish if in_parts else lambda x: x
        x = part(self.self_attn(self.input_layernorm(x), context, cache, residual=x))
        return part(self.mlp(self.post_attention_layernorm(x), residual=x))


class Qwen2Model(nn.Module):
    """Embedding, layers and final norm: token ids (batch, time) to states (batch, time, hidden)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = [
            DecoderLayer(config, self.make_mlp(config, i)) for i in range(config.num_hidden_layers)
        ]
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rope = Rope(config.rope, config.head_dim)
        self.dual_chunk = config.dual_chunk
        self.sparse: Sparse | None = None

    @staticmethod
    def make_mlp(config: ModelConfig, layer: int) -> nn.Module:
        """The feed-forward part of layer `layer`."""
        return MLP(config.hidden_size, config.intermediate_size)

    def __call__(
        self, inputs: mx.array, cache: list[Any] | None = None, input_embeddings: mx.array | None = None
    ) -> mx.array:
        x = self.embed_tokens(inputs) if input_embeddings is None else input_embeddings
        caches = cache or [None] * len(self.layers)
        with allowed(bool(cache)):  # training has none
            context = self.context(x.shape[1], caches[0])
            for layer, layer_cache in zip(self.layers, caches, strict=True):
                # of the last layer a pass over a prompt needs the keys and values alone
                x = layer(x, context, layer_cache, in_parts=bool(cache) and layer is not self.layers[-1])
        return self.norm(x)

    def context(self, time: int, cache: Any) -> AttentionContext:
        """What the layers share in a pass over `time` new tokens."""
        mask = cache.make_mask(time, return_array=False, window_size=None) if cache is not None else None
        offset = 0 if cache is None else cache.offset
        length, sparse = prompt_length(cache, time), self.sparse if cache is not None else None
        return attention_context(self.rope, self.dual_chunk, time, offset, length, mask, sparse)


class Model(nn.Module):
    """A causal language model that mlx-lm's tools can drive unchanged."""

    backbone = Qwen2Model

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.args = config
        self.model_type = config.model_type
        self.model = self.backbone(config)
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.sampling = Sampling()
        self._forbidden: mx.array | None = None

    def __call__(
        self, inputs: mx.array, cache: list[Any] | None = None, input_embeddings: mx.array | None = None
    ) -> mx.array:
        """Logits (batch, time, vocab) for token ids (batch, time)."""
        states = self.model(inputs, cache, input_embeddings)
        with allowed(bool(cache)):
            if self.args.tie_word_embeddings:
                logits = as_linear(self.model.embed_tokens, states)
            else:
                logits = product(self.lm_head, states)
        return logits if self._forbidden is None else logits + self._forbidden.astype(logits.dtype)

    @property
    def layers(self) -> list[DecoderLayer]:
        return self.model.layers

    def fuse(self) -> None:
        """Merges what one product can compute; see `Attention.fuse`."""
        for layer in self.layers:
            if "qkv_proj" not in layer.self_attn:
                layer.self_attn.fuse()
            mx.eval(layer.parameters())  # layer by layer, so that few originals live beside their copies

    def make_cache(self, kv: KVFormat | None = None) -> list[Any]:
        """An empty cache, one entry a layer, in the model's own type or in the format `kv`."""
        if kv is None or not kv.is_quantized:
            return [KVCache(half=kv is not None) for _ in self.layers]
        rope, dual_chunk = self.model.rope, self.model.dual_chunk
        return [
            QuantizedKVCache(kv, self.args.head_dim, KeyBias(layer.self_attn.key_bias(), rope, dual_chunk))
            for layer in self.layers
        ]

    def forbid(self, token_ids: Sequence[int]) -> None:
        """Gives these rows of the vocabulary a logit of minus infinity.

        Qwen2's embedding has more rows than its tokenizer has tokens. The spare rows were
        never trained, and a sampled one could not be decoded.
        """
        mask = mx.zeros(self.args.vocab_size)
        mask[mx.array(list(token_ids))] = -float("inf")
        self._forbidden = mask

    @staticmethod
    def keeps_float32(path: str) -> bool:
        """Whether the weight at `path` stays in float32 whatever type the model is cast to."""
        return False

    @property
    def cast_predicate(self) -> Callable[[str], bool]:
        """mlx-lm's question which weights may be cast."""
        return lambda path: not self.keeps_float32(path)

    def sanitize(self, weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
        """A checkpoint's tensors under this model's names."""
        tied_copy = {"lm_head.weight"} if self.args.tie_word_embeddings else set()
        return {
            name: weight
            for name, weight in weights.items()
            if name not in tied_copy and not name.endswith("rotary_emb.inv_freq")
        }
