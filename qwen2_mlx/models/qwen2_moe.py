"""Qwen2-57B-A14B's architecture: Qwen2 with fine-grained routed experts and a shared one.

Qwen2 report (arXiv 2407.10671), section 2.2.2. Only the feed-forward part differs from
the dense model: a router picks a few small experts for each token, and a large shared
expert that every token passes is added through a sigmoid gate.
"""

from collections.abc import Mapping

import mlx.core as mx
import mlx.nn as nn

from qwen2_mlx import _mlx_lm
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.models import qwen2

_mlx_lm.install()

from mlx_lm.models.switch_layers import SwitchGLU  # noqa: E402

from qwen2_mlx.models.products import expert_outputs  # noqa: E402

_EXPERT_PARTS = ("gate_proj", "up_proj", "down_proj")
_TENSOR_KINDS = ("weight", "scales", "biases")


class SparseMoeBlock(nn.Module):
    """Routed experts plus the gated shared expert."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        moe, hidden = config.moe, config.hidden_size
        assert moe is not None
        self.top_k, self.normalise = moe.num_experts_per_tok, moe.norm_topk_prob
        self.gate = nn.Linear(hidden, moe.num_experts, bias=False)
        self.switch_mlp = SwitchGLU(hidden, moe.moe_intermediate_size, moe.num_experts)
        self.shared_expert = qwen2.MLP(hidden, moe.shared_expert_intermediate_size)
        self.shared_expert_gate = nn.Linear(hidden, 1, bias=False)

    def __call__(self, x: mx.array, residual: mx.array | None = None) -> mx.array:
        """States to the same shape, plus `residual` if given."""
        chosen, shares = self.route(x)
        outputs = expert_outputs(self.switch_mlp, x, chosen)
        # A product rather than a weighted sum: no array of all experts' weighted outputs.
        routed = (shares[..., None, :].astype(x.dtype) @ outputs).squeeze(-2)
        shared_share = mx.sigmoid(self.shared_expert_gate(x).astype(mx.float32)).astype(x.dtype)
        mixed = routed + shared_share * self.shared_expert(x)
        return mixed if residual is None else residual + mixed

    def route(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """The chosen experts and their shares, each (batch, time, top_k).

        In float32 whatever the model's type: a rounding error here sends a token to
        another expert.
        """
        shares = mx.softmax(self.gate(x.astype(mx.float32)), axis=-1)
        chosen = mx.argpartition(-mx.stop_gradient(shares), kth=self.top_k - 1, axis=-1)[..., : self.top_k]
        shares = mx.take_along_axis(shares, chosen, axis=-1)
        if self.normalise:
            shares = shares / shares.sum(axis=-1, keepdims=True)
        return chosen, shares


class Qwen2MoeModel(qwen2.Qwen2Model):
    """The dense model's stack with experts in the layers that the config makes sparse."""

    @staticmethod
    def make_mlp(config: ModelConfig, layer: int) -> nn.Module:
        assert config.moe is not None
        if config.moe.is_sparse(layer):
            return SparseMoeBlock(config)
        return qwen2.MLP(config.hidden_size, config.intermediate_size)


class Model(qwen2.Model):
    """A sparse causal language model that mlx-lm's tools can drive unchanged."""

    backbone = Qwen2MoeModel

    @staticmethod
    def keeps_float32(path: str) -> bool:
        return ".mlp.gate." in path

    def sanitize(self, weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
        """A checkpoint's tensors under this model's names, the experts of a layer stacked.

        Raises `CheckpointError` when one expert of a layer is missing or unlike the others.
        """
        renamed = super().sanitize(weights)
        for index, layer in enumerate(self.layers):
            if isinstance(layer.mlp, SparseMoeBlock):
                self._stack_experts(renamed, f"model.layers.{index}.mlp")
        return renamed

    def _stack_experts(self, weights: dict[str, mx.array], prefix: str) -> None:
        """Replaces `experts.N.part.kind` by `switch_mlp.part.kind` (experts, out, in)."""
        assert self.args.moe is not None
        for part in _EXPERT_PARTS:
            for kind in _TENSOR_KINDS:
                names = [f"{prefix}.experts.{n}.{part}.{kind}" for n in range(self.args.moe.num_experts)]
                if any(name in weights for name in names):
                    stacked = mx.stack(_alike(weights, names))
                    weights[f"{prefix}.switch_mlp.{part}.{kind}"] = stacked


def _alike(weights: dict[str, mx.array], names: list[str]) -> list[mx.array]:
    """Takes the tensors `names` out of `weights`, which must have one shape and type."""
    missing = [name for name in names if name not in weights]
    if missing:
        raise CheckpointError(f"the checkpoint lacks tensors of its architecture: {missing[0]}")
    tensors = [weights.pop(name) for name in names]
    kinds = [(list(tensor.shape), str(tensor.dtype)) for tensor in tensors]
    usual = max(kinds, key=kinds.count)
    for name, kind in zip(names, kinds, strict=True):
        if kind != usual:
            raise CheckpointError(
                f"tensor {name} has shape {kind[0]} and type {kind[1]}, its fellows {usual[0]} and {usual[1]}"
            )
    return tensors
