"""Kernel or fallback: the variable decides, and a kernel that does not run is no crash."""

from collections import defaultdict
from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.errors import ConfigError
from qwen2_mlx.kernels.kernel import Kernel, Launch
from qwen2_mlx.kernels.use import NAMES, VARIABLE, allowed, wanted
from tests.metal_host.rounding import DTYPES
from tests.qwen2_mlx.kernels.cases import CASES

ONE = Launch([mx.zeros(8)], [], (8, 1, 1), (8, 1, 1), [(8,)], [mx.float32])


@pytest.mark.parametrize("name", NAMES)
def test_without_metal_no_kernel_is_wanted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert wanted(name) == (mx.default_device().type == mx.DeviceType.gpu and mx.metal.is_available())


@pytest.mark.parametrize(
    ("value", "expected"),
    [("on", True), ("off", False), ("rotate_heads", False), (" decode_attention , rotate_heads", True)],
)
def test_the_variable_decides_also_where_it_does_not_pay(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert wanted("decode_attention", pays=False) == expected


def test_a_name_that_is_no_kernel_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "decode_atention")
    with pytest.raises(ConfigError, match=r"QWEN2_MLX_KERNELS names 'decode_atention'.*decode_attention"):
        wanted("decode_attention")


def test_none_is_wanted_where_a_derivative_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "on")
    with allowed(False):
        assert not wanted("rotate_heads")
    assert wanted("rotate_heads")


def kernel(name: str) -> Kernel:
    return Kernel(name, ("x",), ("y",), "y[0] = x[0];")


def refusing(patch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(**_: object) -> None:
        raise error

    patch.setattr(mx.fast, "metal_kernel", lambda **_: refuse)


def test_a_kernel_that_does_not_run_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing(
        monkeypatch,
        RuntimeError("[metal::Device] Unable to build metal library\nsource:9: error: no such type"),
    )
    refused = kernel("refused")
    assert refused(ONE) is None
    assert refused(ONE) is None
    assert refused(Launch([mx.zeros(8, mx.float16)], [], (8, 1, 1), (8, 1, 1), [(8,)], [mx.float32])) is None
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "kernel refused does not run here (source:9: error: no such type)" in message


def test_without_metal_there_is_one_warning_for_all_kernels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing(monkeypatch, RuntimeError("no Metal here"))
    assert kernel("first")(ONE) is None
    assert kernel("second")(ONE) is None
    assert capsys.readouterr().err.count("\n") == 1


def test_a_kernel_that_wants_more_threads_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(*_: object) -> None:  # as MLX's Metal back end says it
        raise ValueError("Thread group size (256) is greater than  the maximum allowed (192).")

    monkeypatch.setattr(mx.fast, "metal_kernel", lambda **_: lambda **_: [mx.zeros(8)])
    monkeypatch.setattr(mx, "eval", evaluate)
    assert kernel("large")(ONE) is None


def test_a_kernel_on_the_wrong_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, ValueError("[metal_kernel] Only supports the GPU."))
    assert kernel("misplaced")(ONE) is None


def test_inside_a_transformation_only_what_has_run_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx.fast, "metal_kernel", lambda **_: lambda inputs, **_: [inputs[0] + 1])
    tried = kernel("tried")

    def compiled(x: mx.array) -> mx.array:
        launch = Launch([x], [], (8, 1, 1), (8, 1, 1), [(8,)], [mx.float32])
        outputs = tried(launch)
        return x if outputs is None else outputs[0]

    assert mx.compile(lambda x: compiled(x))(mx.zeros(8)).sum() == 0
    assert compiled(mx.zeros(8)).sum() == 8
    assert mx.compile(lambda x: compiled(x))(mx.zeros(8)).sum() == 8


def test_no_two_sources_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLX would compile anew whenever one follows the other: it names a kernel by its template alone."""
    types = defaultdict[Any, set[Any]](set)

    def record(called: Kernel, launch: Launch) -> list[mx.array]:
        own = tuple(getattr(value, "dtype", type(value)) for value in launch.inputs)
        types[called.name, tuple(launch.template)].add(own)
        return [mx.zeros(shape, dtype) for shape, dtype in zip(launch.shapes, launch.dtypes, strict=True)]

    monkeypatch.setattr(Kernel, "__call__", record)
    for case in CASES:
        for dtype in DTYPES:
            case.run(dtype)
    assert [name for name, found in types.items() if len(found) > 1] == []
