"""docs/kernels.md: its table of errors, its names, its figures."""

from pathlib import Path

import pytest

from qwen2_mlx.kernels.use import NAMES, VARIABLE
from tests.metal_host.host import MetalHost
from tests.qwen2_mlx.kernels.cases import CASES
from tests.qwen2_mlx.kernels.conftest import Use
from tests.qwen2_mlx.kernels.errors import GROUPS, table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "kernels.md"


def written() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return text.split("<!-- errors -->\n")[1].split("<!-- end of errors -->")[0].strip().splitlines()


def test_the_table_has_a_row_for_every_case() -> None:
    assert len(CASES) == sum(len(cases) for cases in GROUPS.values())
    named = [tuple(line.split(" | ")[:2]) for line in written()[2:]]
    assert named == [(f"| {group}", str(case)) for group, cases in GROUPS.items() for case in cases]


def test_every_kernel_and_the_variable_are_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert VARIABLE in text
    for name in NAMES:
        assert f"`{name}`" in text


@pytest.mark.slow
def test_the_table_is_what_the_command_prints(host: MetalHost, use: Use) -> None:
    use(host)
    assert written() == table().splitlines()
