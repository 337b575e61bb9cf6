"""The kernels are free of races and overruns, and a mistake in any line of theirs would be noticed."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.metal_host.host import MetalHost
from tests.qwen2_mlx.kernels.subjects import SUBJECTS, Subject, unnoticed

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


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessPoolExecutor]:
    """Processes, because a changed kernel stands in its module while it is tried."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("number", range(len(SUBJECTS)), ids=lambda number: SUBJECTS[number].kernel.name)
def test_a_missing_barrier_or_a_loose_bound_is_noticed(
    number: int, host: MetalHost, races: MetalHost, bounds: MetalHost, workers: ProcessPoolExecutor
) -> None:
    del races, bounds  # can be had
    mutants = range(len(SUBJECTS[number].mutants()))
    assert mutants
    found = list(workers.map(partial(unnoticed, host, number), mutants))
    survived = [description for description in found if description]
    assert [one for one in survived if not any(part in one for part in HARMLESS)] == []
    assert len(survived) <= 0.05 * len(mutants) + 1
