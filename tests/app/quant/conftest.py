"""A quantised copy of a small checkpoint, and texts long enough to measure it on."""

from pathlib import Path

import pytest

from quant.format import Format
from tests.quant.report import samples


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return samples.original(tmp_path / "original")


@pytest.fixture
def four_bits(tmp_path: Path, original: Path) -> Path:
    return samples.quantised(original, tmp_path / "four-bits", Format(4, 32))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "harbour.txt"
    path.write_text("The ferry leaves at six, and nobody knows when it comes back. " * 5, encoding="utf-8")
    return path
