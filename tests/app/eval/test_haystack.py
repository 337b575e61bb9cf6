"""Documents that fill a length, and sentences that stand where they were put."""

from collections.abc import Iterator
from itertools import cycle
from random import Random

import pytest

from app.eval import haystack as module
from app.eval.haystack import GLUE, Stated, fit, fit_count, haystack, prompt_length
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

QUESTION = "What is the trade of Morvan Telun?"
NEEDLE = {"en": "The trade of Morvan Telun is miller.", "zh": "莫兰·塔维的密码是58213。"}


def write(
    tokenizer: Tokenizer, language: str, length: int, stated: tuple[Stated, ...] = (), seed: int = 1
) -> str:
    prose = haystack(language, Random(seed))
    return fit(tokenizer, length, QUESTION, prose, stated, glue=GLUE[language])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("length", [384, 1000, 4096, 20_000])
def test_a_prompt_fills_its_length_and_never_exceeds_it(
    tokenizer: Tokenizer, language: str, length: int
) -> None:
    for seed in range(5 if length < 5000 else 1):
        stated = (Stated(NEEDLE[language], 37), Stated(NEEDLE[language], 80))
        document = write(tokenizer, language, length, stated, seed)
        assert 0.98 * length <= prompt_length(tokenizer, document, QUESTION) <= length


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("depth", [10.0, 25.0, 50.0, 99.0])
def test_a_sentence_stands_at_the_last_boundary_before_its_depth(
    tokenizer: Tokenizer, language: str, depth: float
) -> None:
    document = write(tokenizer, language, 4096, (Stated(NEEDLE[language], depth),))
    before, after = document.split(NEEDLE[language])
    total = len(tokenizer.encode(before)) + len(tokenizer.encode(after))
    end = {"en": ".", "zh": "。"}[language]
    following = after[: after.index(end) + 1]
    share = total * depth / 100
    assert len(tokenizer.encode(before)) <= share + 3  # a line break or a blank may count differently
    assert len(tokenizer.encode(before + following)) > share - 3
    assert before.rstrip().endswith(end)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_depth_0_is_before_and_100_after_everything_else(small: Tokenizer, language: str) -> None:
    document = write(small, language, 1000, (Stated("First.", 0), Stated("Last.", 100)))
    assert document.startswith("First.")
    assert document.endswith("Last.")


def test_sentences_at_one_boundary_keep_their_order(small: Tokenizer) -> None:
    stated = tuple(Stated(f"Number {i}.", 50) for i in range(4))
    assert "Number 0. Number 1. Number 2. Number 3." in write(small, "en", 600, stated)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_stated_is_in_the_document_once(small: Tokenizer, language: str) -> None:
    for seed in range(20):
        document = write(small, language, 800, (Stated(NEEDLE[language], 5.0 * seed),), seed)
        assert document.count(NEEDLE[language]) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_haystack_never_states_the_needle_itself(language: str) -> None:
    prose = haystack(language, Random(0))
    text = "".join(next(prose) for _ in range(20_000))
    assert not any(part in text for part in ("Morvan", "Telun", "莫兰", "塔维", "密码", "secret code"))
    assert not any(character.isdigit() for character in text)


def test_the_same_seed_writes_the_same_document(small: Tokenizer) -> None:
    stated = (Stated(NEEDLE["en"], 50),)
    assert write(small, "en", 900, stated, seed=3) == write(small, "en", 900, stated, seed=3)
    assert write(small, "en", 900, stated, seed=3) != write(small, "en", 900, stated, seed=4)


def test_a_length_without_room_for_what_is_stated_is_refused(small: Tokenizer) -> None:
    stated = tuple(Stated(NEEDLE["en"], depth) for depth in range(0, 100, 10))
    needed = prompt_length(small, " ".join(s.sentence for s in stated), QUESTION)
    with pytest.raises(PromptError, match=f"150 tokens is too short for this task, which needs {needed}"):
        write(small, "en", 150, stated)


def test_a_length_with_room_for_nothing_else_is_met(small: Tokenizer) -> None:
    needed = prompt_length(small, NEEDLE["en"], QUESTION)
    assert write(small, "en", needed, (Stated(NEEDLE["en"], 50),)) == NEEDLE["en"]


def test_a_long_prompt_is_counted_as_a_whole_only_once(
    small: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def spy(tokenizer: Tokenizer, document: str, question: str) -> int:
        counted.append(len(document))
        return prompt_length(tokenizer, document, question)

    monkeypatch.setattr(module, "prompt_length", spy)
    write(small, "en", 30_000, (Stated(NEEDLE["en"], 50),))
    assert sum(size > 1000 for size in counted) == 1


def test_paragraphs_have_the_sentences_they_are_given(small: Tokenizer) -> None:
    noise: Iterator[str] = cycle(["One is red.", "Two is blue."])
    lines = fit(small, 500, QUESTION, noise, paragraph=(2,)).split("\n")
    assert len(lines) > 10
    assert set(lines[:-1]) == {"One is red. Two is blue."}


@pytest.mark.parametrize("length", [300, 4096, 20_000])
def test_a_count_is_found_that_fills_the_length(tokenizer: Tokenizer, length: int) -> None:
    def numbered(count: int) -> str:
        return "\n".join(f"{i}. word" for i in range(count))  # longer numbers: not quite linear

    document = fit_count(tokenizer, length, QUESTION, numbered, least=3)
    assert 0.98 * length <= prompt_length(tokenizer, document, QUESTION) <= length


def test_a_count_may_be_the_least_but_not_below(small: Tokenizer) -> None:
    needed = prompt_length(small, "word " * 9, QUESTION)
    assert fit_count(small, needed, QUESTION, lambda count: "word " * count, least=9) == "word " * 9
    with pytest.raises(PromptError, match=f"which needs {needed}"):
        fit_count(small, needed - 1, QUESTION, lambda count: "word " * count, least=9)
