"""Scores of windows do not depend on how they were computed."""

from pathlib import Path
from random import Random

import mlx.core as mx
import pytest

from app.ask import prompts
from app.ask.passage import Passage
from app.ask.roles import relevance
from app.ask.roles.choice import scores
from app.ask.roles.engine import LEAST_STORED, Engine
from app.ask.roles.relevance import Relevance, batches, last_logits
from app.ask.roles.usage import Counter
from app.eval.chronicle import filler_sentence
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.ask.roles.conftest import passage

QUESTION = "What is the trade of Morvan Telun?"


def window(seed: int, sentences: int) -> Passage:
    rng = Random(seed)
    return passage(" ".join(filler_sentence(rng) for _ in range(sentences)))


WINDOWS = [
    window(1, 9),
    window(2, 1),
    passage("The trade of Morvan Telun is weaver."),
    window(3, 14),
    window(4, 9),
]
LONG = window(5, 60)


def alone(model: Model, tokenizer: Tokenizer, one: Passage) -> float:
    """The score from the definition: all logits of the whole prompt in one pass."""
    message = prompts.relevance(one.text, QUESTION)
    ids = tokenizer.encode_chat([{"role": "user", "content": message}])
    found = scores(model(mx.array([ids]))[0, -1], Relevance(Engine(model, tokenizer, "", Counter())).tokens)
    return found["yes"] - found["no"]


def test_windows_in_one_batch_score_as_one_by_one(
    tiny: tuple[Model, Tokenizer], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [alone(*tiny, one) for one in WINDOWS]
    assert Relevance(engine)(QUESTION, WINDOWS) == pytest.approx(expected, abs=1e-4)
    sizes: list[int] = []

    def counted(model: Model, rows: list[list[int]]) -> mx.array:
        sizes.append(len(rows))
        return last_logits(model, rows)

    monkeypatch.setattr(Relevance, "_batch_tokens", 2000)
    monkeypatch.setattr(relevance, "last_logits", counted)
    assert Relevance(engine)(QUESTION, WINDOWS) == pytest.approx(expected, abs=1e-4)
    assert sizes == [5]


def test_a_long_window_scores_the_same_with_a_store_without_and_again(
    tiny: tuple[Model, Tokenizer], tmp_path: Path
) -> None:
    counter = Counter()
    stored = Relevance(Engine(*tiny, "tiny", counter, prefixes=Folder(tmp_path, 10**9)))
    bare = Relevance(Engine(*tiny, "tiny", Counter()))(QUESTION, [LONG])
    first = stored(QUESTION, [LONG])
    total = counter.usage.prefilled
    assert (counter.usage.reused, len(Folder(tmp_path, 10**9).files())) == (0, 1)
    again = stored(QUESTION, [LONG])
    assert bare == first == again
    assert counter.usage.prefilled - total < total // 5
    assert counter.usage.reused + counter.usage.prefilled == 2 * total
    assert bare == pytest.approx([alone(*tiny, LONG)], abs=1e-4)


def test_another_question_computes_only_itself(tiny: tuple[Model, Tokenizer], tmp_path: Path) -> None:
    counter = Counter()
    stored = Relevance(Engine(*tiny, "tiny", counter, prefixes=Folder(tmp_path, 10**9)))
    stored(QUESTION, [LONG])
    before = counter.usage.prefilled
    other = "Who crosses the sea?"
    score = stored(other, [LONG])
    assert counter.usage.prefilled - before < 80
    assert score == Relevance(Engine(*tiny, "tiny", Counter()))(other, [LONG])


def test_short_windows_are_not_kept(tiny: tuple[Model, Tokenizer], tmp_path: Path) -> None:
    folder = Folder(tmp_path, 10**9)
    Relevance(Engine(*tiny, "tiny", Counter(), prefixes=folder))(QUESTION, WINDOWS)
    assert folder.files() == []
    assert len(tiny[1].encode(LONG.text)) > LEAST_STORED


def test_rows_are_one_on_a_cpu_and_fill_a_gpu(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relevance, "_batch_tokens", 0)
    assert Relevance(engine).rows(WINDOWS) == 1
    monkeypatch.setattr(Relevance, "_batch_tokens", 2048)
    assert Relevance(engine).rows(WINDOWS) == len(WINDOWS)
    assert Relevance(engine).rows([LONG] * 9) in (1, 2, 3)
    assert Relevance(engine).rows([window(6, 400)]) == 1


def test_batches_hold_rows_of_similar_length_within_their_tokens() -> None:
    assert batches([100, 30, 90, 1000, 31], 200) == [[1, 4], [2, 0], [3]]
    assert batches([5, 6], 0) == [[0], [1]]
    assert batches([], 100) == []


def test_a_batch_never_makes_logits_for_all_its_tokens(tiny: tuple[Model, Tokenizer]) -> None:
    assert last_logits(tiny[0], [[1, 2, 3], [4]]).shape == (2, tiny[0].args.vocab_size)


def test_no_windows_are_no_scores(engine: Engine) -> None:
    assert Relevance(engine)(QUESTION, []) == []
