"""Everything that a model is given fits the length it was trained on."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.ask import prompts
from app.ask.roles.engine import Engine
from app.ask.roles.sizes import sizes

GB = 10**9


def model(trained: int, longest: int = 10**6) -> Engine:
    tokens: Any = SimpleNamespace(
        model=SimpleNamespace(args=SimpleNamespace(trained_length=trained)),
        longest=longest,
        encode=lambda message: [0] * (len(message) // 4),
    )
    return cast(Engine, tokens)


def test_models_of_the_family_get_the_sizes_of_the_design() -> None:
    family = model(32768)
    small, large = sizes(family, family, 12 * GB), sizes(family, family, 24 * GB)
    assert (small.chunk, small.overlap, small.evidence, small.window) == (400, 60, 6000, 8192)
    assert small.whole == 24000
    assert large.evidence == 12000


@pytest.mark.parametrize("trained", [384, 2048, 8192, 32768])
def test_a_prompt_with_question_and_reply_stays_within_the_trained_length(trained: int) -> None:
    one = model(trained)
    found = sizes(one, one, 12 * GB)
    longest = max(len(one.encode(message("", ""))) for message in (prompts.notes, prompts.relevance))
    assert found.window + longest + trained // 5 <= trained
    assert found.whole + len(one.encode(prompts.whole_document("", ""))) + trained // 5 <= trained
    assert found.overlap < found.chunk <= found.evidence <= 0.6 * trained


def test_what_does_not_fit_the_memory_is_not_asked_for() -> None:
    one = model(32768, longest=6000)
    found = sizes(one, one, 12 * GB)
    assert found == sizes(model(6000), model(6000), 12 * GB)
    assert found.whole < 6000


def test_the_shorter_of_two_models_decides() -> None:
    assert sizes(model(32768), model(384), GB) == sizes(model(384), model(384), GB)
