"""An answer that was cut off goes on as if it never had been, however its tokens and characters lie."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent
from qwen2_mlx.resuming import begun_tokens
from qwen2_mlx.session import ChatSession
from tests.checkpoints import END
from tests.qwen2_mlx.lively import Loaded

TOKENS = 40
QUESTION = {"role": "user", "content": "Where is the north gate?"}


@pytest.fixture
def session(loaded: Loaded) -> ChatSession:
    """Its model writes bytes at random: letters, halves of characters, accents."""
    return ChatSession(loaded.model, loaded.tokenizer, max_tokens=TOKENS)


def said(session: ChatSession, taken: int | None = None, **settings: Any) -> list[GenerationEvent]:
    """An answer to what stands in the session, or the first `taken` tokens of it."""
    with closing(session.answer(**settings)) as events:
        return list(islice(events, taken))


def text(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events)


def asked(session: ChatSession) -> ChatSession:
    session.messages[:] = [dict(QUESTION)]
    return session


@pytest.fixture(scope="module")
def whole(loaded: Loaded) -> str:
    """The answer that nobody interrupts."""
    return text(said(asked(ChatSession(loaded.model, loaded.tokenizer, max_tokens=TOKENS))))


@pytest.fixture
def ends(loaded: Loaded) -> Iterator[None]:
    """The model may end its answers."""
    loaded.tokenizer.eos_ids = frozenset({END})
    yield
    loaded.tokenizer.eos_ids = frozenset()


@pytest.mark.parametrize("taken", [1, 2, 3, 4, 7, 12, 20, 31, 39])
def test_a_stopped_answer_goes_on_as_if_it_had_not_been(session: ChatSession, whole: str, taken: int) -> None:
    shown = text(said(asked(session), taken))
    assert session.messages[1:] == [{"role": "assistant", "content": shown}]
    events = said(session, resume=True, max_tokens=TOKENS - taken)
    assert shown + text(events) == whole
    assert events[0].prompt_tokens == 1
    assert session.messages == [QUESTION, {"role": "assistant", "content": whole}]


@pytest.mark.parametrize("taken", [1, 3, 8, 21])
def test_an_answer_cut_by_its_length_goes_on_as_if_it_were_longer(
    session: ChatSession, whole: str, taken: int
) -> None:
    """What is held back as unfinished is shown at the end of the length, and not a second time."""
    shown = text(said(asked(session), max_tokens=taken))
    assert shown + text(said(session, resume=True, max_tokens=TOKENS - taken)) == whole


def test_stopping_again_and_again_changes_nothing(session: ChatSession, whole: str) -> None:
    shown = text(said(asked(session), 2))
    for _ in range(5):
        shown += text(said(session, 3, resume=True))
    assert session.messages[-1]["content"] == shown
    assert shown + text(said(session, resume=True, max_tokens=TOKENS - 17)) == whole


@pytest.mark.parametrize("taken", [1, 5, 9, 20])
def test_a_stop_string_across_the_interruption_is_noticed(
    loaded: Loaded, session: ChatSession, whole: str, taken: int
) -> None:
    stop = whole[8:11]
    expected = text(said(asked(session), stop=[stop]))
    shown = text(said(asked(session), taken, stop=[stop]))
    events = said(session, resume=True, stop=[stop])
    assert shown + text(events) == expected
    assert events[-1].finish_reason == "stop"


def test_a_stop_string_that_began_before_the_cut_ends_the_answer(session: ChatSession, whole: str) -> None:
    cuts = ((text(said(asked(session), max_tokens=taken)), taken) for taken in range(5, 30))
    shown, stop = next(
        (shown, stop)
        for shown, _ in cuts
        if whole.startswith(shown) and whole.index(stop := whole[len(shown) - 2 :][:3]) == len(shown) - 2
    )
    session.messages[:] = [QUESTION, {"role": "assistant", "content": shown}]
    [*_, last] = events = said(session, resume=True, stop=[stop])
    assert (text(events), last.finish_reason) == ("", "stop")


def test_a_stop_string_that_is_new_ends_only_what_comes(session: ChatSession, whole: str) -> None:
    shown = text(said(asked(session), 20))
    assert text(said(session, 5, resume=True, stop=[shown[:2]]))


def test_an_answer_from_elsewhere_is_read_as_the_assistant_s_unfinished_words(
    loaded: Loaded, session: ChatSession
) -> None:
    session.messages[:] = [QUESTION, {"role": "assistant", "content": "By the old mill, <|im_end|>"}]
    expected = [
        *loaded.tokenizer.encode_chat([QUESTION]),
        *loaded.tokenizer.encode("By the old mill, <|im_end|>"),
    ]
    read: list[tuple[int, int]] = []
    events = said(session, resume=True, on_prompt=lambda *tokens: read.append(tokens))
    assert read == [(0, len(expected))]
    assert session._fed[: len(expected)] == expected
    assert END not in expected[-12:], "a control token in a text is text"
    assert session.messages[-1]["content"] == "By the old mill, <|im_end|>" + text(events)


def test_an_edited_answer_is_not_taken_for_the_one_in_the_cache(loaded: Loaded, session: ChatSession) -> None:
    shown = text(said(asked(session), 20))
    session.messages[-1] = {"role": "assistant", "content": shown[:6] + "?"}
    edited = said(session, resume=True)
    fresh = ChatSession(loaded.model, loaded.tokenizer, max_tokens=TOKENS)
    fresh.messages[:] = [QUESTION, {"role": "assistant", "content": shown[:6] + "?"}]
    assert text(edited) == text(said(fresh, resume=True))


def test_a_shortened_answer_goes_on_from_the_tokens_that_are_left(session: ChatSession, whole: str) -> None:
    said(asked(session))
    session.messages[-1] = {"role": "assistant", "content": whole[:9]}
    events = said(session, resume=True)
    assert (whole[:9] + text(events)).startswith(whole[:12])
    assert events[0].prompt_tokens <= 3


def test_another_branch_in_between_costs_reading_and_no_word(loaded: Loaded, session: ChatSession) -> None:
    """Where the shown text is cut into the tokens that were generated, the same answer comes."""
    shown = text(said(asked(session), 5))
    tokens = session._fed[-5:]
    session.messages[:] = [{"role": "user", "content": "Something else"}]
    said(session, 5)
    session.messages[:] = [QUESTION, {"role": "assistant", "content": shown}]
    events = said(session, 1, resume=True)
    assert events[0].prompt_tokens > 1
    assert tokens or events


def test_an_ended_answer_goes_on_behind_its_end_token(
    ends: None, loaded: Loaded, session: ChatSession
) -> None:
    """The end itself is no part of what is gone on with."""
    prompt = loaded.tokenizer.encode_chat([QUESTION])
    assert begun_tokens(loaded.tokenizer, "ab", [*loaded.tokenizer.encode("ab"), END, 5]) == (
        loaded.tokenizer.encode("ab")
    )
    session.messages[:] = [QUESTION, {"role": "assistant", "content": "ab"}]
    said(session, 1, resume=True)
    assert session._fed[: len(prompt) + 2][: len(prompt)] == prompt


def test_nothing_was_shown_yet_and_the_answer_begins(session: ChatSession, whole: str) -> None:
    session.messages[:] = [QUESTION, {"role": "assistant", "content": ""}]
    assert text(said(session, resume=True)) == whole


def test_an_interrupted_resumption_keeps_what_there_was(session: ChatSession) -> None:
    shown = text(said(asked(session), 5))
    with pytest.raises(ValueError, match="max_tokens"):
        said(session, resume=True, max_tokens=0)
    assert session.messages == [QUESTION, {"role": "assistant", "content": shown}]


@pytest.mark.parametrize("messages", [[], [QUESTION]])
def test_only_an_answer_can_be_gone_on_with(session: ChatSession, messages: list[dict[str, Any]]) -> None:
    session.messages[:] = messages
    with pytest.raises(ValueError, match="assistant"):
        said(session, resume=True)
    assert session.messages == messages


# Limits and reports


def test_a_smaller_context_ends_the_answer_and_then_refuses(session: ChatSession, loaded: Loaded) -> None:
    prompt = len(loaded.tokenizer.encode_chat([QUESTION]))
    events = said(asked(session), context=prompt + 4)
    assert len(events) == 4
    assert events[-1].finish_reason == "length"
    with pytest.raises(PromptError, match=rf"its context is set to {prompt}"):
        said(asked(session), context=prompt)


def test_a_context_beyond_the_models_is_the_models(session: ChatSession) -> None:
    session.messages[:] = [{"role": "user", "content": "x " * 600}]
    with pytest.raises(PromptError, match="the model handles 512"):
        said(session, context=10**9)


def test_what_will_be_read_is_told_before(session: ChatSession, loaded: Loaded) -> None:
    told: list[tuple[int, int]] = []
    said(asked(session), 3)
    session.messages.append({"role": "user", "content": "And the south gate?"})
    said(session, 1, on_prompt=lambda *tokens: told.append(tokens))
    ids = loaded.tokenizer.encode_chat(session.messages[:-1])
    [(reused, total)] = told
    assert total == len(ids)
    assert len(loaded.tokenizer.encode_chat([QUESTION])) <= reused < total


def test_a_forgotten_cache_is_filled_anew(session: ChatSession, whole: str) -> None:
    said(asked(session), 5)
    session.forget()
    assert session.context_tokens == 0
    assert text(said(asked(session))) == whole
