"""No kernel takes a pointer for one into another address space, where a clang is there to tell."""

from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.kernels.kernel import Kernel, Launch
from tests.metal_host.host import MetalHost
from tests.metal_host.spaces import check_address_spaces, clang
from tests.qwen2_mlx.kernels.cases import CASES, Case

pytestmark = pytest.mark.skipif(not clang(), reason="no clang++ (Debian, Ubuntu: apt install clang)")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_address_spaces_are_right(case: Case, host: MetalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def check(kernel: Kernel, launch: Launch) -> list[mx.array]:
        made = host.metal_kernel(
            kernel.name,
            kernel.inputs,
            kernel.outputs,
            kernel.source,
            kernel.header,
            ensure_row_contiguous=False,
        )
        call: dict[str, Any] = {
            "inputs": launch.inputs,
            "template": launch.template,
            "grid": launch.grid,
            "threadgroup": launch.threadgroup,
            "output_shapes": launch.shapes,
            "output_dtypes": launch.dtypes,
        }
        check_address_spaces(made, **call)
        checked.append(kernel.name)
        return [mx.zeros(shape, dtype) for shape, dtype in zip(launch.shapes, launch.dtypes, strict=True)]

    monkeypatch.setattr(Kernel, "__call__", check)
    case.run(mx.bfloat16)
    assert checked
