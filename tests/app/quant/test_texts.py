"""What is measured on, and that nothing is chosen on it."""

from itertools import pairwise
from pathlib import Path

import pytest

from app.quant.texts import calibration_windows, chronicles, evaluation_windows, knows_chronicles_only
from quant.calibrated.texts import calibration_tokens
from quant.report.texts import bundled_texts, cut
from qwen2_mlx.resolve import BUNDLED, resolve
from qwen2_mlx.tokenizer import Tokenizer


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_reads_whole_chronicles(name: str) -> None:
    folder = resolve(name)
    windows = evaluation_windows(folder, None, 512)
    tokenizer = Tokenizer.from_folder(folder)
    assert {window.kind for window in windows} == {"chronicle"}
    assert sum(len(window.tokens) for window in windows) > 8000
    assert all("is not in the document." in tokenizer.decode(window.tokens) for window in windows)


def test_only_the_bundled_tokenizer_makes_chronicles(checkpoint: Path) -> None:
    assert knows_chronicles_only(resolve("tiny"))
    assert not knows_chronicles_only(checkpoint)


def test_chronicles_for_calibration_share_no_sentence_with_those_for_evaluation() -> None:
    folder = resolve("tiny")
    tokenizer = Tokenizer.from_folder(folder)
    documents = [
        {message["content"] for conversation in text.content for message in conversation}  # type: ignore
        for purpose in ("evaluation", "calibration")
        for text in chronicles(tokenizer, 384, purpose, 8)
    ]
    assert not documents[0] & documents[1]
    ids = [{w.id for w in windows} for windows in (
        evaluation_windows(folder, None, 384), calibration_windows(folder, None, 384, 3000)
    )]  # fmt: skip
    assert not ids[0] & ids[1]


def test_the_bundled_texts_share_no_stretch_of_words_with_the_calibration_texts(checkpoint: Path) -> None:
    tokenizer = Tokenizer.from_folder(checkpoint)
    evaluation = [tokenizer.decode(window.tokens) for window in cut(tokenizer, bundled_texts(), 100_000)]
    calibration = [
        tokenizer.decode(tokens) for tokens in calibration_tokens(tokenizer, None, 100_000, 100_000)
    ]

    def stretches(texts: list[str]) -> set[str]:
        """Every stretch of 36 characters; conversations share their template and system prompt."""
        plain = [" ".join(text.lower().split()) for text in texts]
        return {text[at : at + 36] for text in plain for at in range(len(text) - 35)}

    shared = stretches(evaluation) & stretches(calibration)
    assert not [part for part in shared if "assistant" not in part and "user" not in part]


def test_calibration_is_about_as_long_as_was_asked_for(checkpoint: Path) -> None:
    sizes = [
        sum(len(window.tokens) for window in calibration_windows(checkpoint, None, 128, tokens))
        for tokens in (256, 1024, 4096)
    ]
    assert all(one < other for one, other in pairwise(sizes))
    assert sizes[1] <= 1024
