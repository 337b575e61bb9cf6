"""Flags for long texts, and the check that programs make before they process one."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qwen2_mlx.config import ROPE_MODES, ModelConfig

if TYPE_CHECKING:
    from qwen2_mlx.cache.format import KVFormat
    from qwen2_mlx.memory.plan import Plan
    from qwen2_mlx.models import Model

KV_BITS = ("auto", "16", "8", "8/4")


def add_flags(add: Callable[..., Any]) -> None:
    """`--rope`, `--kv-bits` and `--memory-limit`."""
    add("--rope", choices=ROPE_MODES, default="auto", help="how positions are encoded (default: auto)")
    add_memory_flags(add)


def add_memory_flags(add: Callable[..., Any]) -> None:
    """`--kv-bits` and `--memory-limit`."""
    add("--kv-bits", choices=KV_BITS, default="auto",
        help="bits of cached keys/values (default: auto, fewer where memory is short)")  # fmt: skip
    add("--memory-limit", type=size, metavar="SIZE",
        help="such as 32GB (default: what the device recommends)")  # fmt: skip


def size(text: str) -> int:
    """A flag's value as bytes."""
    from qwen2_mlx.memory.limit import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def formats(kv_bits: str) -> "Sequence[KVFormat | None]":
    """The cache formats that `--kv-bits` allows, the best first."""
    from qwen2_mlx.cache.format import KVFormat
    from qwen2_mlx.memory.plan import KV_FORMATS

    return KV_FORMATS if kv_bits == "auto" else (KVFormat.parse(kv_bits),)


def plan_prompt(model: "Model", tokens: int, kv_bits: str, memory_limit: int | None) -> "Plan":
    """How `tokens` of prompt and answer will be processed. Raises `MemoryLimitError` if they cannot be."""
    from qwen2_mlx.memory.limit import memory_limit as limit_here
    from qwen2_mlx.memory.plan import choose, compute_of, weight_bytes

    limit = memory_limit or limit_here()
    return choose(model.args, compute_of(model), weight_bytes(model), tokens, limit, formats(kv_bits))


def warn_past_proven(program: str, config: ModelConfig, tokens: int) -> None:
    """Says on stderr when a text is longer than this model was shown to handle."""
    if message := past_proven(config, tokens):
        print(f"{program}: {message}", file=sys.stderr)


def past_proven(config: ModelConfig, tokens: int) -> str | None:
    """What to say about a text that is longer than this model was shown to handle."""
    if tokens <= config.proven_length:
        return None
    return (
        f"{tokens:,} tokens are beyond the {config.proven_length:,} up to which models of this"
        f" size were shown to find facts with --rope {config.rope_mode}; check the answer"
    )
