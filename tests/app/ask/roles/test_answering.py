"""Answers carry marks of existing parts only, and a stored document changes nothing."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import mlx.core as mx
import pytest

from app.ask.roles import answering
from app.ask.roles.answering import answer, answer_whole, existing_marks
from app.ask.roles.decode import decode, goes_round
from app.ask.roles.engine import Engine
from app.ask.roles.usage import Counter
from app.eval.chronicle import filler_sentence
from qwen2_mlx.errors import PromptError
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.ask.roles.conftest import passage

QUESTION = "What is the trade of Morvan Telun?"


@pytest.mark.parametrize(
    "text", ["[1]", "[12]", "a [1", "a [", "[1][2]", "a]", "[3].\nb [1", "no marks", "[2]["]
)
def test_marks_of_parts_and_all_other_text_keep_the_rule(text: str) -> None:
    assert existing_marks(12)(text, False)


@pytest.mark.parametrize(
    "text", ["[13]", "[0", "[01", "[x", "[1,", "[ 1", "[1][14", "a [13", "[]", "[1 ]", "[-", "[1[2]"]
)
def test_other_marks_break_it(text: str) -> None:
    assert not existing_marks(12)(text, False)


def test_an_answer_must_not_end_within_a_mark() -> None:
    assert not existing_marks(3)("a [2", True)
    assert existing_marks(3)("a [2]", True)
    assert not existing_marks(0)("a [", False)


class Writer:
    """An engine whose model wants to write `text`, each character a token; the end is token 0."""

    def __init__(self, text: str):
        self.wanted, self.at, self.counter, self.tokenizer = [*map(ord, text), 0], 0, Counter(), self
        self.eos_ids = frozenset([0])

    def logits(self) -> mx.array:
        return (
            mx.arange(128) * -0.01 + (mx.arange(128) == self.wanted[min(self.at, len(self.wanted) - 1)]) * 9
        )

    def follow(self, tokens: list[int], cache: Any) -> mx.array:
        self.at += 1
        return self.logits()

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))

    def detokenizer(self) -> Any:
        return self

    def add(self, token: int) -> str:
        return chr(token)

    def finish(self) -> str:
        return ""


def written(text: str, parts: int) -> str:
    engine: Any = Writer(text)
    return "".join(decode(engine, [], engine.logits(), 200, existing_marks(parts)))


def test_nothing_but_wrong_marks_is_changed() -> None:
    text = "It is 42 [1]. A list: a] b) <c> [2][1]"
    assert written(text, 2) == text


@pytest.mark.parametrize("mark", ["[7]", "[0]", "[99]", "[x]", "[ ]"])
def test_a_mark_of_no_part_becomes_one_of_a_part(mark: str) -> None:
    assert written(f"It is 42 {mark}.", 2)[:12] in ("It is 42 [1]", "It is 42 [2]")


def test_an_answer_that_goes_in_circles_ends() -> None:
    assert goes_round("x" + "The same again. " * 3)
    assert not goes_round("The same again. The same again. And no more.")
    assert len(written("The same again. " * 50, 1)) < 80


def parts(count: int) -> list[Any]:
    rng = Random(count)
    return [passage(filler_sentence(rng)) for _ in range(count)]


def test_an_answer_is_streamed_as_it_is_returned(engine: Engine) -> None:
    pieces: list[str] = []
    whole = answer(engine, QUESTION, [passage("The trade of Morvan Telun is weaver.")], 40, pieces.append)
    assert "".join(pieces).strip() == whole != ""
    usage = engine.counter.usage
    assert 0 < usage.generated <= 40
    assert usage.prefilled > 60


def test_an_answer_names_existing_parts_only(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the model wants, which here is the mark [9] over and over."""
    wanted = engine.tokenizer.encode("[9]") * 8
    vocabulary = mx.arange(engine.model.args.vocab_size)

    def follow(tokens: list[int], cache: Any) -> mx.array:
        return (vocabulary == wanted.pop(0)) * 9 - vocabulary * 1e-4

    monkeypatch.setattr(engine, "follow", follow)
    written = answer(engine, QUESTION, parts(2), 12)
    assert written.startswith(("[1]", "[2]"))
    assert "[9" not in written


def test_answers_are_as_long_as_allowed(engine: Engine) -> None:
    answer(engine, QUESTION, parts(3), 5)
    assert engine.counter.usage.generated == 5


def test_a_question_that_leaves_no_room_is_refused(engine: Engine) -> None:
    limit = engine.model.args.context_length
    with pytest.raises(PromptError, match=f"takes {limit - answering.ANSWER_ROOM}"):
        answer_whole(engine, QUESTION, passage("word " * limit), 40)


def long_document() -> Any:
    rng = Random(8)
    facts = ["The trade of Morvan Telun is weaver."]
    return passage(" ".join([*(filler_sentence(rng) for _ in range(50)), *facts]))


def test_a_stored_document_is_answered_like_a_fresh_one(
    tiny: tuple[Model, Tokenizer], tmp_path: Path
) -> None:
    document = long_document()
    counter = Counter()
    engine = Engine(*tiny, "tiny", counter, prefixes=Folder(tmp_path, 10**9))
    bare = answer_whole(Engine(*tiny, "tiny", Counter()), QUESTION, document, 30)
    first = answer_whole(engine, QUESTION, document, 30)
    assert counter.usage.reused == 0
    again = answer_whole(engine, QUESTION, document, 30)
    assert counter.usage.reused > 512
    assert bare == first == again != ""


def test_the_progress_of_a_long_document_is_told(tiny: tuple[Model, Tokenizer]) -> None:
    engine = Engine(*tiny, "tiny", Counter())
    seen: list[tuple[int, int]] = []
    engine.on_prefill = lambda done, total: seen.append((done, total))
    answer_whole(engine, QUESTION, long_document(), 3)
    assert seen
    assert seen[-1][0] == seen[-1][1]


def test_a_rule_that_nothing_keeps_does_not_hang() -> None:
    engine: Any = Writer("abc")
    texts: Iterator[str] = decode(engine, [], engine.logits(), 2, lambda text, ends: False)
    assert "".join(texts) == "ab"
