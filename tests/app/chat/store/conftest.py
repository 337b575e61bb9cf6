"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat.options import Options
from app.chat.store import Chat, Store
from app.chat.store.place import VARIABLE


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "kept" / "chats.sqlite"


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened


@pytest.fixture
def chat(store: Store) -> Chat:
    return store.new_chat(Options())
