"""Perplexity by position: the losses are the model's, and memory does not grow with the text."""

from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import mlx.core as mx
import numpy as np
import pytest

import qwen2_mlx
from app.eval import perplexity
from app.eval.perplexity import chronicles, edges, token_losses, windows
from app.eval.report.line_chart import line_chart
from qwen2_mlx.errors import PromptError
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer
from tests import checkpoints

SVG = "{http://www.w3.org/2000/svg}"
TOKENS = np.random.default_rng(0).integers(0, 256, 300).tolist()


def whole_losses(model: Model, tokens: list[int]) -> np.ndarray:
    """The definition: all logits at once, in float64."""
    logits = np.array(model(mx.array(tokens)[None])[0].astype(mx.float32), dtype=np.float64)[:-1]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -logprobs[np.arange(len(tokens) - 1), tokens[1:]]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rope", ["plain", "dca"])
@pytest.mark.parametrize("rows", [256, 64, 7])
def test_losses_are_those_of_the_whole_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool, rope: str, rows: int
) -> None:
    config = {**checkpoints.DENSE, "tie_word_embeddings": tied, "max_position_embeddings": 64}
    model, _ = qwen2_mlx.load(str(checkpoints.write_checkpoint(tmp_path / "model", config)), rope=rope)
    monkeypatch.setattr(perplexity, "_ROWS", rows)
    done: list[int] = []
    losses = token_losses(model, TOKENS, model.make_cache(), done.append)
    np.testing.assert_allclose(losses, whole_losses(model, TOKENS), rtol=2e-4, atol=2e-4)
    assert done == [*range(rows, 299, rows), 299]


def test_logits_exist_for_a_few_rows_at_a_time(checkpoint: Path) -> None:
    model, _ = qwen2_mlx.load(str(checkpoint))
    rows: list[int] = []

    class Watched:
        def __call__(self, inputs: mx.array, cache: list[Any]) -> mx.array:
            rows.append(inputs.shape[1])
            return model(inputs, cache=cache)

    token_losses(cast(Model, Watched()), TOKENS * 3, model.make_cache())
    assert rows == [256, 256, 256, 131]


def test_buckets_share_out_every_loss_once() -> None:
    losses = np.arange(1, 100, dtype=np.float32)  # the loss of token i is i
    sums, counts = perplexity._by_bucket(losses, edges(100, 4))
    assert counts == [24, 25, 25, 25]  # nothing predicts the first token
    assert sums == [sum(range(1, 25)), sum(range(25, 50)), sum(range(50, 75)), sum(range(75, 100))]


@pytest.mark.parametrize("buckets", [1, 3, 16])
def test_buckets_are_equal_and_leave_no_gap(buckets: int) -> None:
    bounds = edges(1000, buckets)
    assert (bounds[0], bounds[-1], len(bounds)) == (0, 1000, buckets + 1)
    assert {stop - start for start, stop in pairwise(bounds)} <= {1000 // buckets, 1000 // buckets + 1}


def test_generated_texts_are_exactly_as_long_as_asked_and_repeat_facts(small: Tokenizer) -> None:
    texts = list(chronicles(small, 3000, 2, seed=0))
    assert [len(text.tokens) for text in texts] == [3000, 3000]
    assert texts[0].tokens != texts[1].tokens
    assert [text.tokens for text in chronicles(small, 3000, 2, seed=0)] == [text.tokens for text in texts]
    assert small.decode(texts[0].tokens).count("secret code of") >= 10


def test_a_text_is_cut_into_windows_that_follow_each_other(small: Tokenizer) -> None:
    content = "The old mill stood behind the church. " * 100
    tokens = small.encode(content)
    found = list(windows(small, content, 150, 4))
    assert [list(text.tokens) for text in found] == [tokens[i : i + 150] for i in range(0, 600, 150)]
    with pytest.raises(PromptError, match=f"has {len(tokens):,} tokens"):
        list(windows(small, content, len(tokens) + 1, 4))


@pytest.mark.parametrize(
    "losses",
    [{"plain": [1.0, 9.0], "dca": [1.0, 1.1]}, {"dca": [2.0, 2.0]}, {"plain": [0.0, 600.0]}],
)
def test_the_chart_is_well_formed_and_keeps_its_lines_on_the_page(losses: dict[str, list[float]]) -> None:
    root = ElementTree.fromstring(line_chart("perplexity, <x>", [0, 512, 1024], losses, 384))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    lines = [line for line in root.iter(f"{SVG}polyline") if line.get("class") == "line"]
    assert len(lines) == 2 * len(losses)
    for line in lines:
        for point in line.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"perplexity, <x>", "trained length", *losses} <= set(texts)
