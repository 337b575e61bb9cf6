"""A library in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ask.library import Library


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "library.sqlite"


@pytest.fixture
def library(place: Path) -> Iterator[Library]:
    with Library.open(place) as opened:
        yield opened
