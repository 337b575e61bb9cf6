"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "chats.sqlite") as opened:
        yield opened
