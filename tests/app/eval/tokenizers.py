"""The tokenizers that prompts are measured with."""

from functools import cache
from pathlib import Path

from app.eval.haystack import prompt_length
from app.eval.sample import Sample
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer


@cache
def bundled() -> Tokenizer:
    """The tokenizer of `tiny`: few tokens, and none for a Chinese character as a whole."""
    return Tokenizer.from_folder(resolve("tiny"))


@cache
def from_folder(folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(folder)


def used(sample: Sample, tokenizer: Tokenizer) -> int:
    """Tokens of the whole prompt of a sample."""
    return prompt_length(tokenizer, sample.document, sample.question)
