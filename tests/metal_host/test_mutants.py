"""Barriers that are taken away and bounds that are off by one are noticed: in MLX's shipped kernels, and in a
small one."""

import mlx.core as mx

from . import shipped_trials
from .host import MetalHost
from .mutate import Mutant, with_loose_bounds, without_barriers
from .mutation import survivors
from .shipped_mutants import (
    ordering_barriers,
    sdpa_vector,
    split_steel_attention,
    steel_attention,
    steel_barriers,
)
from .small_kernels import RMS_NORM, assert_rms_norm_is_right


def test_every_missing_barrier_of_shipped_sdpa_vector_is_noticed(races: MetalHost) -> None:
    mutants = ordering_barriers(shipped_trials.sdpa_vector_kernel(mx.float16))
    assert len(mutants) == 3
    assert survivors(sdpa_vector, mutants, {"races": races}) == []


def test_every_missing_barrier_of_shipped_steel_attention_is_noticed(races: MetalHost) -> None:
    barriers = steel_barriers()
    assert (len(barriers.needed), len(barriers.exchange)) == (4, 2)
    assert survivors(steel_attention, barriers.needed, {"races": races}) == []
    assert survivors(split_steel_attention, barriers.exchange, {"races": races}) == []
    # Nothing has touched threadgroup memory yet: this one could be left out.
    assert survivors(steel_attention, [barriers.first], {"races": races}) == [barriers.first]


def test_every_missing_barrier_and_loose_bound_of_a_small_kernel_is_noticed(
    races: MetalHost, bounds: MetalHost
) -> None:
    barriers, limits = list(without_barriers(RMS_NORM)), list(with_loose_bounds(RMS_NORM))
    assert (len(barriers), len(limits)) == (1, 3)
    assert survivors(assert_rms_norm_is_right, barriers, {"races": races}) == []
    assert survivors(assert_rms_norm_is_right, limits, {"bounds": bounds}) == []


def test_a_kernel_without_a_mistake_survives(host: MetalHost) -> None:
    intact = Mutant("intact", 0, RMS_NORM)
    assert survivors(assert_rms_norm_is_right, [intact], {"forward": host}) == [intact]
