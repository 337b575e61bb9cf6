"""The kernels are free of races and overruns, and a mistake in any line of theirs would be noticed."""

import pytest

from tests.metal_host.host import MetalHost
from tests.metal_host.mutate import with_loose_bounds, without_barriers
from tests.metal_host.mutation import hosts, survivors
from tests.qwen2_mlx.kernels.subjects import SUBJECTS, Subject

#: Mutants that are no mistakes, by a part of their line: one more step of a loop, which masks all it reads.
HARMLESS = (
    "tile < end_key; tile +=",  # a tile behind the last key: all its weights are zero
    "start < end; start +=",
    "min(stop, seen + first_query + QUERIES - 1)",
)

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.kernel.name)
def test_the_kernel_runs_without_races(subject: Subject, races: MetalHost) -> None:
    subject.trial(races, subject.kernel.source)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.kernel.name)
def test_the_kernel_stays_within_its_memory(subject: Subject, bounds: MetalHost) -> None:
    subject.trial(bounds, subject.kernel.source)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.kernel.name)
def test_a_missing_barrier_or_a_loose_bound_is_noticed(
    subject: Subject, host: MetalHost, races: MetalHost, bounds: MetalHost
) -> None:
    source = subject.kernel.source
    mutants = [*without_barriers(source), *with_loose_bounds(source)]
    assert mutants
    unnoticed = survivors(subject.trial, mutants, hosts(host))
    assert [
        one.description for one in unnoticed if not any(part in one.description for part in HARMLESS)
    ] == []
    assert len(unnoticed) <= 0.05 * len(mutants) + 1
