"""Kernels in tests: run by the CPU executor, or under `-m metal` by a GPU."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import mlx.core as mx
import pytest

from tests.metal_host.conftest import bounds, checked, host, races, toolchain
from tests.metal_host.host import MetalHost

__all__ = ["bounds", "checked", "host", "races", "toolchain"]

Use = Callable[[MetalHost], None]


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """MLX compiles nothing: the executor cannot run inside what it compiles."""
    mx.disable_compile()
    yield
    mx.enable_compile()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, uncompiled: None) -> Use:
    """Has a host run whatever kernel is called."""
    return lambda host: monkeypatch.setattr(mx.fast, "metal_kernel", host.metal_kernel)


WAYS = ["forward", "reversed", "random", pytest.param("metal", marks=pytest.mark.metal)]


@pytest.fixture(params=WAYS)
def device(request: pytest.FixtureRequest, use: Use) -> str:
    """Each order of threads of the executor, or a real GPU."""
    if request.param == "metal":
        if not mx.metal.is_available():
            pytest.skip("needs a GPU with Metal")
    else:
        use(replace(request.getfixturevalue("host"), order=request.param))
    return request.param
