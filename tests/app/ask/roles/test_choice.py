"""Yes or no, and A, B or C, from the tokens that can begin them."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from app.ask.roles.choice import choose, first_tokens, scores
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer
from tests import checkpoints


class Spelling:
    """A tokenizer of single characters."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]


def test_variants_of_a_reply_count_together_and_shared_tokens_do_not() -> None:
    tokenizer: Any = Spelling()
    tokens = first_tokens(tokenizer, ("yes", "no"))
    assert tokens == {"yes": [ord("Y"), ord("y")], "no": [ord("N"), ord("n")]}


def test_replies_that_begin_alike_are_refused() -> None:
    tokenizer: Any = Spelling()
    with pytest.raises(ValueError, match="no"):
        first_tokens(tokenizer, ("no", "none"))


def test_the_bundled_model_tells_the_replies_apart(tiny: tuple[Model, Tokenizer]) -> None:
    tokens = first_tokens(tiny[1], ("yes", "no"))
    assert not set(tokens["yes"]) & set(tokens["no"])
    assert {tiny[1].encode("yes")[0], tiny[1].encode("Yes")[0]} <= set(tokens["yes"])
    assert all(first_tokens(tiny[1], ("A", "B", "C")).values())


def test_the_familys_tokenizer_tells_the_replies_apart(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").symlink_to(shared_data / "qwen2-tokenizer/tokenizer.json")
    checkpoints.write_json(tmp_path / "tokenizer_config.json", {"chat_template": checkpoints.CHAT_TEMPLATE})
    tokenizer = Tokenizer.from_folder(tmp_path)
    tokens = first_tokens(tokenizer, ("yes", "no"))
    assert {tokenizer.decode([token]) for token in tokens["yes"]} >= {"yes", "Yes", " yes", " Yes"}
    assert {tokenizer.decode([token]) for token in tokens["no"]} >= {"no", "No", " no", " No"}


def test_the_likeliest_reply_is_chosen_whatever_its_form() -> None:
    logits = mx.array([0.0, 3.0, 1.0, 2.9, 2.9])
    tokens = {"A": [0, 1], "B": [2], "C": [3, 4]}
    assert choose(logits, tokens) == "C"
    assert scores(logits, tokens)["B"] == pytest.approx(1.0)
