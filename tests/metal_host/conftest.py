"""A host that keeps what it compiles in pytest's cache, and skips where it cannot run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from .host import MetalHost
from .launch import Order
from .toolchain import Check, Toolchain, check_unavailable, unavailable


@pytest.fixture(scope="session")
def toolchain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    if reason := unavailable():
        pytest.skip(reason)
    cache = request.config.cache if request.config.pluginmanager.has_plugin("cacheprovider") else None
    folder = cache.mkdir("metal_host") if cache else tmp_path_factory.mktemp("metal_host")
    return Toolchain(Path(folder))


@pytest.fixture
def host(toolchain: Toolchain) -> MetalHost:
    """Runs kernels for their results, threads in ascending order."""
    return MetalHost(toolchain)


@pytest.fixture(scope="session")
def checked(toolchain: Toolchain) -> Callable[[Check], MetalHost]:
    """Makes a host with a sanitizer, or skips the test where the sanitizer cannot run."""
    reasons: dict[Check, str | None] = {}

    def make(check: Check) -> MetalHost:
        if check not in reasons:
            reasons[check] = check_unavailable(toolchain, check)
        if reason := reasons[check]:
            pytest.skip(reason)
        return MetalHost(toolchain, check=check)

    return make


@pytest.fixture
def races(checked: Callable[[Check], MetalHost]) -> MetalHost:
    return checked("races")


@pytest.fixture
def bounds(checked: Callable[[Check], MetalHost]) -> MetalHost:
    return checked("bounds")


@pytest.fixture(params=["forward", "reversed", "random"])
def order(request: pytest.FixtureRequest) -> Order:
    return request.param


@pytest.fixture
def ordered(host: MetalHost, order: Order) -> MetalHost:
    """Runs kernels for their results, in each of the three orders."""
    return replace(host, order=order)
