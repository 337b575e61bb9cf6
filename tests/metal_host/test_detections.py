"""The table of README.md is what `python -m tests.metal_host.detections` prints."""

from pathlib import Path

import pytest

from .detections import cases, table
from .host import MetalHost
from .toolchain import Toolchain

README = Path(__file__).with_name("README.md")


def written() -> str:
    text = README.read_text()
    return text.split("<!-- detections -->\n")[1].split("<!-- end of detections -->")[0]


def test_the_table_has_a_row_for_every_mistake(toolchain: Toolchain) -> None:
    del toolchain  # MLX's headers are here
    names = [line.split(" | ")[0].removeprefix("| ") for line in written().splitlines()[2:]]
    assert names == [name for name, _, _ in cases()]


def test_every_mistake_in_the_table_is_noticed_by_something() -> None:
    for line in written().splitlines()[2:]:
        assert set(line.split(" | ")[1:]) - {"–", "– |"}, line


@pytest.mark.slow
def test_the_table_is_what_is_measured(host: MetalHost, races: MetalHost, bounds: MetalHost) -> None:
    del races, bounds  # can be had
    assert written() == table(host)
