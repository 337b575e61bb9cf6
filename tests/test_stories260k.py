"""A real trained model that nobody here made: stories260K, laid out as a Qwen2 checkpoint.

Its greedy text from the start token was published with it (karpathy/tinyllamas).
"""

from pathlib import Path

import mlx.nn as nn
import pytest

import qwen2_mlx
from quant.affine import quantize_model
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer
from tests.convert.conversions import EIGHT_BITS, convert_folder

START_TOKEN = 1
FIRST_SENTENCES = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
)
PUBLISHED = FIRST_SENTENCES + (
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high."
)


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "stories260k"


def greedy_text(model: Model, tokenizer: Tokenizer) -> str:
    events = qwen2_mlx.stream_generate(model, tokenizer, [START_TOKEN], max_tokens=80, temperature=0.0)
    return "".join(event.text for event in events)


def left_in_floating_point(model: Model) -> set[str]:
    return {path.split(".")[-1] for path, module in model.named_modules() if isinstance(module, nn.Linear)}


def test_greedy_decoding_reproduces_the_published_text(folder: Path) -> None:
    assert greedy_text(*qwen2_mlx.load(str(folder))).startswith(PUBLISHED)


@pytest.mark.parametrize("group_size", [32, 64])
def test_the_story_starts_the_same_in_8_bits(folder: Path, group_size: int) -> None:
    model, tokenizer = qwen2_mlx.load(str(folder))
    quantize_model(model, bits=8, group_size=group_size)
    assert left_in_floating_point(model) == {"down_proj"}  # 172 wide: no whole number of groups
    assert greedy_text(model, tokenizer).startswith(FIRST_SENTENCES)


def test_the_story_starts_the_same_after_conversion_to_8_bits(folder: Path, tmp_path: Path) -> None:
    convert_folder(folder, tmp_path / "stories-8bit", EIGHT_BITS)
    model, tokenizer = qwen2_mlx.load(str(tmp_path / "stories-8bit"))
    assert left_in_floating_point(model) == {"down_proj"}
    assert greedy_text(model, tokenizer).startswith(FIRST_SENTENCES)
