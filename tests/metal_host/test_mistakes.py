"""Every mistake of mistakes.py is noticed, and the place that is named is the right one."""

from collections.abc import Callable
from dataclasses import replace

import mlx.core as mx
import pytest

from .errors import LaunchError
from .host import MetalHost
from .mistakes import MISTAKES, Mistake, assert_is_right
from .mutation import hosts
from .small_kernels import rms_norm
from .toolchain import Check


@pytest.mark.parametrize("way", ["forward", "reversed", "random", "races", "bounds"])
def test_the_kernel_without_a_mistake_is_left_alone(checked: Callable[[Check], MetalHost], way: str) -> None:
    assert_is_right(_host(checked, way))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_noticed_where_it_is(checked: Callable[[Check], MetalHost], mistake: Mistake) -> None:
    host = replace(_host(checked, mistake.way), timeout=2.0 if "without an end" in mistake.name else 60.0)
    with pytest.raises(mistake.error) as caught:
        assert_is_right(host, mistake.source())
    assert mistake.says in str(caught.value)


def test_divergence_is_no_race(races: MetalHost) -> None:
    for mistake in MISTAKES:
        if mistake.name == "a barrier in a branch":
            with pytest.raises(LaunchError):
                assert_is_right(races, mistake.source())


def test_more_than_1024_threads_are_refused(host: MetalHost) -> None:
    with pytest.raises(LaunchError, match="1056 threads: the limit is 1024"):
        rms_norm(host, mx.zeros((1, 2000)), threads=1056)


def _host(checked: Callable[[Check], MetalHost], way: str) -> MetalHost:
    check: Check = "races" if way == "races" else "bounds" if way == "bounds" else "values"
    return hosts(replace(checked(check), check="values"))[way]
