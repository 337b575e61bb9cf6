"""Fixtures for tests of qwen2-ask."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from app.ask.library import Library
from tests.app.ask.scripted import ScriptedEngine, found


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """What answers in place of models; a test may change its `script`."""
    engine = ScriptedEngine(found)

    def open_scripted(
        args: argparse.Namespace, library: Library, tell: Callable[[str], None]
    ) -> ScriptedEngine:
        engine.library = library
        return engine

    monkeypatch.setattr("app.ask.opening.open_engine", open_scripted)
    return engine


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document of two pages, in the current folder, which holds nothing else."""
    folder = tmp_path / "letters"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = Path("letters.txt")
    path.write_text("The bridge was closed. Nobody came.\n\fThe code of Ab is 5. It rained.\n")
    return path
