"""Tokenizers as fixtures."""

import pytest

from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval import tokenizers


@pytest.fixture
def small() -> Tokenizer:
    """The bundled tokenizer."""
    return tokenizers.bundled()


@pytest.fixture(params=["bundled", "qwen2"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """The bundled tokenizer, and Qwen2's where it is at hand."""
    if request.param == "bundled":
        return tokenizers.bundled()
    return tokenizers.from_folder(request.getfixturevalue("shared_data") / "qwen2-tokenizer")
