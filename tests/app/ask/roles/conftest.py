"""The bundled model as an engine."""

import pytest

from app.ask.passage import Passage
from app.ask.roles.engine import Engine
from app.ask.roles.usage import Counter
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer


@pytest.fixture(scope="package")
def tiny() -> tuple[Model, Tokenizer]:
    return load("tiny", length_factor="position")


@pytest.fixture
def engine(tiny: tuple[Model, Tokenizer]) -> Engine:
    return Engine(*tiny, "tiny", Counter())


def passage(text: str) -> Passage:
    """All of a document, for tests."""
    return Passage(1, 0, len(text), text)
