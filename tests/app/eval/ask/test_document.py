"""Generated documents: their length, their pages, and where the stated sentences stand."""

import time
from random import Random

import pytest

from app.eval.ask.document import PAGE_TOKENS, Written, write
from app.eval.haystack import Stated
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

FACTS = [
    Stated(f"The secret code of Number {i} is {i:05}.", depth) for i, depth in enumerate((0, 3, 50, 50, 100))
]


def written(tokenizer: Tokenizer, tokens: int, seed: int = 0) -> Written:
    return write(tokenizer, tokens, FACTS, Random(seed))


@pytest.mark.parametrize("tokens", [300, 2_000, 8_192, 40_000])
def test_a_document_has_its_length_to_a_sentence(tokenizer: Tokenizer, tokens: int) -> None:
    document = written(tokenizer, tokens)
    real = len(tokenizer.encode(document.text))
    assert document.tokens <= tokens
    assert tokens - document.tokens < 60 + tokens // 400
    assert abs(real - document.tokens) <= 5 + tokens // 500


def test_each_sentence_stands_where_its_spot_says_on_the_page_it_names(tokenizer: Tokenizer) -> None:
    document = written(tokenizer, 20_000)
    pages = document.text.split("\f")
    assert len(pages) == document.pages
    for fact, spot in zip(FACTS, document.spots, strict=True):
        assert document.text[spot.start : spot.end] == fact.sentence
        assert document.text.count(fact.sentence) == 1
        assert fact.sentence in pages[spot.page - 1]
        share = len(tokenizer.encode(document.text[: spot.start])) / document.tokens
        assert abs(share - fact.depth / 100) < 0.02


def test_pages_are_full_but_not_fuller(tokenizer: Tokenizer) -> None:
    sizes = [len(tokenizer.encode(page)) for page in written(tokenizer, 30_000).text.split("\f")]
    assert max(sizes) <= PAGE_TOKENS + 10
    assert min(sizes[:-1]) > PAGE_TOKENS // 2


def test_sentences_that_share_a_depth_keep_their_order(small: Tokenizer) -> None:
    spots = written(small, 5_000).spots
    assert spots[2].end + 1 == spots[3].start


def test_a_document_is_a_function_of_its_random_numbers(small: Tokenizer) -> None:
    assert written(small, 3_000) == written(small, 3_000)
    assert written(small, 3_000).text != written(small, 3_000, seed=1).text


def test_a_document_shorter_than_its_facts_is_refused(small: Tokenizer) -> None:
    with pytest.raises(PromptError, match="40 tokens is too short for its 5 facts"):
        written(small, 40)


@pytest.mark.slow
def test_a_million_tokens_take_seconds(tokenizer: Tokenizer) -> None:
    began = time.perf_counter()
    document = written(tokenizer, 1_000_000)
    assert time.perf_counter() - began < 20
    assert 997_000 < document.tokens <= 1_000_000
