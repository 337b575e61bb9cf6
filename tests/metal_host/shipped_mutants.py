"""MLX's shipped attention kernels without one of their barriers, and the runs that must notice it."""

from typing import NamedTuple

import mlx.core as mx

from . import shipped_trials
from .host import MetalHost
from .mutate import Mutant, without_barriers
from .rounding import assert_rounding_level
from .shipped import ShippedKernel


def ordering_barriers(kernel: ShippedKernel) -> list[Mutant]:
    """The kernel without each of its barriers that order memory, which those with mem_none do not."""
    source = kernel.source()
    mutants = without_barriers(source, *kernel.span(source))
    return [mutant for mutant in mutants if "mem_none" not in mutant.description]


class SteelBarriers(NamedTuple):
    """The barriers of steel attention: `exchange` are those between simdgroups that split a head."""

    first: Mutant
    needed: list[Mutant]
    exchange: list[Mutant]


def steel_barriers() -> SteelBarriers:
    kernel = shipped_trials.steel_attention_kernel(mx.float16)
    source = kernel.source()
    mutants = ordering_barriers(kernel)
    start = source.index("if constexpr (WN == 2)", kernel.span(source)[0])
    branch = source[start : source.index("Stile.elems()[ii] += peer", start)]
    exchange = [mutant for mutant in mutants if branch not in mutant.source]
    first, *needed = [mutant for mutant in mutants if mutant not in exchange]
    return SteelBarriers(first, needed, exchange)


def sdpa_vector(host: MetalHost, source: str) -> None:
    assert_rounding_level(*shipped_trials.sdpa_vector(host, mx.float16, source=source), 1)


def steel_attention(host: MetalHost, source: str) -> None:
    assert_rounding_level(*shipped_trials.steel_attention(host, mx.float16, source=source), 1)


def split_steel_attention(host: MetalHost, source: str) -> None:
    result = shipped_trials.steel_attention(host, mx.float16, dim=128, key_block=16, split=2, source=source)
    assert_rounding_level(*result, 1)
