"""Prefill step and bits of the cache that fit the memory, chosen before a prompt is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mlx.core as mx
from mlx.utils import tree_flatten

from qwen2_mlx.attention.tiles import CPU_WORKSPACE, GPU_WORKSPACE, workspace
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.growth import STEP
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.memory.kv import cache_bytes, can_be_quantized
from qwen2_mlx.memory.limit import size_text
from qwen2_mlx.memory.workspace import Compute, workspace_bytes
from qwen2_mlx.models import Model

#: Pieces in which a prompt may be read, the fastest first.
PREFILL_STEPS = (2048, 1024, 512, 256, 128)

#: Formats of the cache to choose from, the most exact first. None keeps the model's type.
KV_FORMATS = (None, KVFormat(8, 8), KVFormat(8, 4))

#: Longer prompts are not looked for.
_LONGEST = 2**24


class MemoryLimitError(Qwen2Error):
    """A prompt that needs more memory than may be used."""


@dataclass(frozen=True)
class Plan:
    """How `context` tokens, prompt and answer, are processed, and the bytes that takes at once."""

    context: int
    kv: KVFormat | None
    prefill_step: int
    weights: int
    cache: int
    workspace: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.workspace


def choose(
    config: ModelConfig,
    compute: Compute,
    weights: int,
    context: int,
    limit: int,
    formats: Sequence[KVFormat | None] = KV_FORMATS,
) -> Plan:
    """The most exact cache of `formats`, and with it the fastest prefill, that `limit` bytes allow.

    `weights` is in bytes. Raises `MemoryLimitError` with the numbers and what would fit, and
    `ConfigError` where the only format cannot hold heads of this size.
    """
    plans = []
    for plan in _plans(config, compute, weights, context, formats):
        if plan.total <= limit:
            return plan
        plans.append(plan)
    least = min(plans, key=lambda plan: plan.total)
    needed = (
        f"{context:,} tokens need at least {size_text(least.total)} (weights {size_text(weights)}, cache"
        f" {size_text(least.cache)}, workspace {size_text(least.workspace)}), {size_text(limit)} may be used"
    )
    raise MemoryLimitError(f"{needed}; {_advice(config, compute, weights, context, limit)}")


def _advice(config: ModelConfig, compute: Compute, weights: int, context: int, limit: int) -> str:
    """The nearest setting that fits."""
    smallest = min(_plans(config, compute, weights, context, KV_FORMATS), key=lambda plan: plan.total)
    if smallest.total <= limit:
        return f"they fit with --kv-bits {smallest.kv}"
    if tokens := longest(config, compute, weights, limit, [smallest.kv]):
        bits = f" with --kv-bits {smallest.kv}" if smallest.kv else ""
        return f"at most {tokens:,} tokens fit{bits}"
    return "take a smaller model or raise --memory-limit"


def predict(
    config: ModelConfig,
    compute: Compute,
    weights: int,
    context: int,
    kv: KVFormat | None,
    prefill_step: int = PREFILL_STEPS[0],
) -> Plan:
    """What `context` tokens need. Raises `ConfigError` where `kv` cannot hold heads of this size."""
    cache = cache_bytes(config, kv, compute.itemsize, context)
    workspace = workspace_bytes(config, compute, kv, context, prefill_step)
    return Plan(context, kv, prefill_step, weights, cache, workspace)


def longest(
    config: ModelConfig,
    compute: Compute,
    weights: int,
    limit: int,
    formats: Sequence[KVFormat | None] = KV_FORMATS,
) -> int:
    """Tokens, to a few hundred, that fit with the last of `formats` and the smallest pieces; 0 if none do.

    Not more than the model's positions are meant for.
    """

    smallest = _possible(config, formats)[-1]

    def fits(tokens: int) -> bool:
        return predict(config, compute, weights, tokens, smallest, PREFILL_STEPS[-1]).total <= limit

    reach = min(config.context_length, _LONGEST)
    if fits(reach):
        return reach
    low, high = 0, -(-reach // STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * STEP) else (low, middle)
    return low * STEP


def _plans(
    config: ModelConfig, compute: Compute, weights: int, context: int, formats: Sequence[KVFormat | None]
) -> Iterator[Plan]:
    for kv in _possible(config, formats):
        for step in PREFILL_STEPS:
            yield predict(config, compute, weights, context, kv, step)


def _possible(config: ModelConfig, formats: Sequence[KVFormat | None]) -> Sequence[KVFormat | None]:
    """The formats without those that the model's heads rule out; a single one is what was asked for."""
    if len(formats) == 1 or can_be_quantized(config.head_dim):
        return formats
    return [kv for kv in formats if kv is None or not kv.is_quantized]


def weight_bytes(model: Model) -> int:
    """The weights of a model, whether they were read already or not."""
    weights: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    return sum(weight.nbytes for weight in weights.values())


def compute_of(model: Model) -> Compute:
    """How a model computes on the device in use."""
    device = mx.default_device().type
    return Compute(model.model.norm.weight.dtype.size, device == mx.DeviceType.gpu, workspace())


def metal() -> Compute:
    """Half precision with Metal's kernels."""
    return Compute(2, True, GPU_WORKSPACE)


def cpu() -> Compute:
    """Float32, which `load` chooses on a CPU."""
    return Compute(4, False, CPU_WORKSPACE)
