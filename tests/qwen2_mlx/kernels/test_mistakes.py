"""The kernels are free of races and overruns, and a mistake in any line of theirs would be noticed."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.metal_host.host import MetalHost
from tests.qwen2_mlx.kernels.subjects import SUBJECTS, Subject, unnoticed

#: Mutants that are no mistakes, by a part of their description: one more step of a loop, which masks all it
#: reads (and in the listed form, whose loop is another one, nothing reads that end).
HARMLESS = (
    "tile < end_key; tile +=",  # a tile behind the last key: all its weights are zero
    "start < end; start +=",
    "`min(stop, seen + first_query + QUERIES - 1)` + 1",
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
    assert [one for one in found if one and not _is_harmless(one)] == []


def test_at_most_one_mutant_in_twenty_is_harmless() -> None:
    descriptions = [mutant.description for subject in SUBJECTS for mutant in subject.mutants()]
    assert sum(map(_is_harmless, descriptions)) <= 0.05 * len(descriptions)


def _is_harmless(description: str) -> bool:
    return any(part in description for part in HARMLESS)
