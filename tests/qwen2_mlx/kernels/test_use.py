"""Kernel or fallback: the variable decides, and a kernel that does not run is no crash."""

import mlx.core as mx
import pytest

from qwen2_mlx.errors import ConfigError
from qwen2_mlx.kernels.kernel import Kernel, Launch
from qwen2_mlx.kernels.use import NAMES, VARIABLE, wanted


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


def test_a_kernel_that_does_not_run_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("[metal::Device] Unable to build metal library\nmore lines")

    launch = Launch([mx.zeros(8)], [], (8, 1, 1), (8, 1, 1), [(8,)], [mx.float32])
    kernel = Kernel("refused", ("x",), ("y",), "y[0] = x[0];")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mx.fast, "metal_kernel", lambda **_: refuse)
        assert kernel(launch) is None
        assert kernel(launch) is None
        other = Launch([mx.zeros(8, mx.float16)], [], (8, 1, 1), (8, 1, 1), [(8,)], [mx.float32])
        assert kernel(other) is None
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "kernel refused does not run here ([metal::Device] Unable to build metal library)" in message
