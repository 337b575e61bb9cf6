"""One decoder layer in floating point, run through the model's own classes, and its results as they come."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from quant.encode import decode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx.attention.context import AttentionContext
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.models import qwen2, qwen2_moe

#: Hears the arguments of a module's calls: its inputs, and of experts the experts' numbers.
Hear = Callable[..., None]


class Layer:
    """Layer `index` of the model: what is left of it in floating point, and what is done.

    `tensors` are its parameters under their full names. They are quantised as they are; the
    layer computes in `dtype`, with float32 where the model insists on it.
    """

    def __init__(
        self,
        config: ModelConfig,
        recipe: Recipe,
        index: int,
        tensors: Mapping[str, mx.array],
        dtype: mx.Dtype,
    ):
        self.config, self._recipe, self.dtype = config, recipe, dtype
        self._prefix = f"model.layers.{index}."
        self._model = qwen2_moe.Model if config.moe else qwen2.Model
        self.module = qwen2.DecoderLayer(config, self._model.backbone.make_mlp(config, index))
        self.floats = {name.removeprefix(self._prefix): tensor for name, tensor in tensors.items()}
        self._kinds = {name: (tensor.shape, tensor.dtype) for name, tensor in self.floats.items()}
        self._done: dict[str, dict[str, mx.array]] = {}
        expected = {name for name, _ in tree_flatten(self.module.parameters())}
        if different := sorted(expected ^ self.floats.keys()):
            raise CheckpointError(f"layer {index} lacks or does not know {self._prefix}{different[0]}")
        for name in expected:
            self.use(name, self.floats[name])

    @property
    def experts(self) -> int:
        """How many routed experts the layer has, 0 if it is dense."""
        moe = self.config.moe
        return moe.num_experts if moe and isinstance(self.module.mlp, qwen2_moe.SparseMoeBlock) else 0

    def attention(self, x: mx.array, context: AttentionContext) -> mx.array:
        """States (1, time, hidden) after attention was added to them."""
        return x + self.module.self_attn(self.module.input_layernorm(x), context, None)

    def feed_forward(self, x: mx.array) -> mx.array:
        """States (1, time, hidden) after the feed-forward part was added to them."""
        return x + self.module.mlp(self.module.post_attention_layernorm(x))

    def format(self, path: str) -> Format | None:
        """The format that the matrix at `path`, such as `mlp.down_proj`, is to have."""
        return format_of(self._recipe, self.config, self._prefix + path, self.shape(path))

    def name(self, path: str) -> str:
        """The full name of the module at `path`."""
        return self._prefix + path

    def shape(self, path: str) -> tuple[int, ...]:
        """The shape of the matrix at `path`, (out, in), of experts (experts, out, in)."""
        return self._kinds[f"{path}.weight"][0]

    def stored_dtype(self, name: str) -> mx.Dtype:
        """The type in which the parameter `name`, or the scales of its matrix, are written."""
        return getattr(mx, self._recipe.dtype) if self._recipe.dtype else self._kinds[name][1]

    def change(self, name: str, value: mx.array) -> None:
        """Replaces a parameter that is still in floating point."""
        self.floats[name] = value.astype(self.floats[name].dtype)
        self.use(name, value)

    def finish(self, path: str, parts: dict[str, mx.array]) -> None:
        """The matrix at `path` is quantised as `parts`, and from now on computes so."""
        self._done[path] = parts
        del self.floats[f"{path}.weight"]
        format = self.format(path)
        assert format
        if len(self.shape(path)) == 2:
            self.use(f"{path}.weight", decode(parts, format))
            return
        experts = []
        for number in range(self.experts):  # one by one, because they are decoded in float32
            one = {part: value[number] for part, value in parts.items()}
            experts.append(decode(one, format).astype(self.dtype))
            mx.eval(experts[-1])
        self.use(f"{path}.weight", mx.stack(experts))

    def use(self, name: str, value: mx.array) -> None:
        """Computes with `value` (of any floating type) as the parameter `name`."""
        parent, key = self._place(name)
        dtype = mx.float32 if self._model.keeps_float32(self._prefix + name) else self.dtype
        parent[key] = value.astype(dtype)
        mx.eval(parent[key])

    def outputs(self) -> dict[str, mx.array]:
        """Every parameter under its full name: what is finished by its parts, the rest in floating point."""
        tensors: dict[str, mx.array] = {}
        for name in self._kinds:
            path = name.removesuffix(".weight")
            if path in self._done:
                tensors |= {f"{self._prefix}{path}.{part}": value for part, value in self._done[path].items()}
            else:
                tensors[self._prefix + name] = self.floats[name].astype(self.stored_dtype(name))
        return tensors

    @contextmanager
    def listening(self, path: str, hear: Hear) -> Iterator[None]:
        """Inside, `hear` is called with the arguments of every call of the module at `path`."""
        parent, key = self._place(path)
        inner = parent[key]
        parent[key] = _Listener(inner, hear)
        try:
            yield
        finally:
            parent[key] = inner

    def _place(self, name: str) -> tuple[Any, str]:
        """The module that holds `name`, and its name there."""
        *path, last = name.split(".")
        module: Any = self.module
        for step in path:
            module = module[step]
        return module, last


class _Listener(nn.Module):
    def __init__(self, inner: nn.Module, hear: Hear):
        super().__init__()
        self.inner, self._hear = inner, hear

    def __call__(self, *inputs: mx.array, **options: Any) -> mx.array:
        self._hear(*inputs)
        return self.inner(*inputs, **options)
