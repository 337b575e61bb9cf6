"""Fit: whether a setup has room, told without loading it or asking the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from app.chat.engine.messages import Fit, Fitted
from app.chat.engine.problems import one_line
from app.chat.options import Setup

if TYPE_CHECKING:
    from qwen2_mlx.cache.format import KVFormat
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.memory.plan import Plan
    from qwen2_mlx.memory.workspace import Compute
    from qwen2_mlx.models import Model

#: Setups whose descriptions are kept.
_REMEMBERED = 64

#: How the models behind the aliases are quantised.
_BITS, _GROUP_SIZE = 4, 64

Described = tuple["ModelConfig", "Compute", int]


class Fitting:
    """Answers for the whole of the memory: a model that is open now would be freed first."""

    def __init__(self) -> None:
        self._described = lru_cache(_REMEMBERED)(_describe)
        self._longest = lru_cache(_REMEMBERED)(self._longest_of)

    def fit(self, question: Fit) -> Fitted:
        """The answer; what is wrong with a setup is its line."""
        try:
            return self._fitted(question)
        except Exception as error:  # noqa: BLE001 - it may be asked in the midst of an answer, which goes on
            return Fitted(question.ticket, None, one_line(error))

    def _fitted(self, question: Fit) -> Fitted:
        from app.long_context import formats

        setup, context = question.setup, question.context
        config, compute, weights = self._described(setup.model, setup.rope)
        limit, longest = _limit(setup), self._longest(setup)
        if context > config.context_length:
            line = f"this model handles {tokens_text(config.context_length)} tokens with rope {setup.rope}"
            return Fitted(question.ticket, False, line, longest)
        plan = _best_plan(config, compute, weights, context, limit, formats(setup.kv_bits))
        return Fitted(question.ticket, plan.total <= limit, _line(plan, limit), longest)

    def _longest_of(self, setup: Setup) -> int:
        from app.long_context import formats
        from qwen2_mlx.memory.plan import longest

        return longest(*self._described(setup.model, setup.rope), _limit(setup), formats(setup.kv_bits))


def _limit(setup: Setup) -> int:
    from qwen2_mlx.memory.limit import memory_limit

    return setup.memory_limit or memory_limit()


def _describe(ref: str, rope: str) -> Described:
    """Shapes and sizes of a model whose weights stay where they are.

    Raises `ModelNotFoundError` where neither the machine nor this program knows them.
    """
    from qwen2_mlx.memory.plan import compute_of, weight_bytes

    model = _unread(ref, rope)
    return model.args, compute_of(model), weight_bytes(model)


def _unread(ref: str, rope: str) -> Model:
    from app.bench.sizes import OFFICIAL
    from app.chat.engine.where import hub_id_of, local_folder
    from qwen2_mlx.errors import ModelNotFoundError
    from qwen2_mlx.loading import load_model, read_config
    from qwen2_mlx.resolve import ALIASES

    try:
        folder = local_folder(ref)
    except ModelNotFoundError:
        hub_id = hub_id_of(ref)
        aliases = [alias for alias, known in ALIASES.items() if known == hub_id]
        if not aliases:
            raise
        return _official(OFFICIAL[aliases[0]], rope)
    return load_model(folder, read_config(folder).with_rope(rope, "position"))


def _official(raw: dict[str, object], rope: str) -> Model:
    """A model that has shapes and types and is never computed."""
    import mlx.core as mx

    from quant.affine import quantize_model
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.memory.plan import cpu, metal
    from qwen2_mlx.models import build

    on_gpu = mx.default_device().type == mx.DeviceType.gpu
    model = build(ModelConfig.from_dict(raw).with_rope(rope, "position"))
    model.set_dtype(mx.bfloat16 if (metal() if on_gpu else cpu()).itemsize == 2 else mx.float32)
    quantize_model(model, _BITS, _GROUP_SIZE)
    return model


def _best_plan(
    config: ModelConfig,
    compute: Compute,
    weights: int,
    context: int,
    limit: int,
    kinds: Sequence[KVFormat | None],
) -> Plan:
    """As `qwen2_mlx.memory.plan.choose`, and the smallest of all where none fits."""
    from qwen2_mlx.memory.kv import can_be_quantized
    from qwen2_mlx.memory.plan import PREFILL_STEPS, predict

    if len(kinds) > 1 and not can_be_quantized(config.head_dim):
        kinds = [kv for kv in kinds if kv is None or not kv.is_quantized]
    plans: list[Plan] = []
    for kv in kinds:
        for step in PREFILL_STEPS:
            plans.append(predict(config, compute, weights, context, kv, step))
            if plans[-1].total <= limit:
                return plans[-1]
    return min(plans, key=lambda plan: plan.total)


def _line(plan: Plan, limit: int) -> str:
    kv = f"KV {_gb(plan.cache)} at {tokens_text(plan.context)}"
    bits = f" in {plan.kv} bits" if plan.kv else ""
    return f"weights {_gb(plan.weights)} + {kv}{bits} + work {_gb(plan.workspace)} of {_gb(limit)} GB safe"


def _gb(size: int) -> str:
    return "<0.1" if size < 5e7 else f"{size / 1e9:.1f}"


def tokens_text(tokens: int) -> str:
    """A count of tokens for people: 128K where it is a multiple of 1,024."""
    return f"{tokens // 1024}K" if tokens >= 1024 and tokens % 1024 == 0 else f"{tokens:,}"
