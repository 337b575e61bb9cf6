"""A session answers as if it read the whole conversation anew each time, and reads only what is new."""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from qwen2_mlx import generate, load
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent, stream_generate
from qwen2_mlx.memory.plan import MemoryLimitError, Plan
from qwen2_mlx.models.qwen2 import DecoderLayer
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.session import ChatSession
from tests.checkpoints import DENSE, END
from tests.qwen2_mlx.lively import Loaded, write_lively_checkpoint

TOKENS = 12
CONTEXT = 512
QUESTIONS = ("Where is the north gate?", "And who keeps its key?", "Since when?")


@pytest.fixture(autouse=True, scope="module")
def speaks_ascii(loaded: Loaded) -> None:
    """Keeps the random model to letters, whose tokens survive being decoded and encoded again."""
    decoded = {token: loaded.tokenizer.decode([token]) for token in range(loaded.model.args.vocab_size)}
    loaded.model.forbid(
        [
            i
            for i, text in decoded.items()
            if not (text.isascii() and text.isprintable() and text) and i != END
        ]
    )


@pytest.fixture
def session(loaded: Loaded) -> ChatSession:
    return ChatSession(loaded.model, loaded.tokenizer, max_tokens=TOKENS)


def tokens(events: list[GenerationEvent]) -> list[int]:
    return [event.token for event in events]


def text(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events)


def fresh(loaded: Loaded, messages: list[dict[str, Any]], **settings: Any) -> list[int]:
    """The answer to a conversation that is read as a whole."""
    settings = {"max_tokens": TOKENS} | settings
    return tokens(list(stream_generate(loaded.model, loaded.tokenizer, messages, **settings)))


def ask(session: ChatSession, question: str, **settings: Any) -> list[GenerationEvent]:
    return list(session.send(question, **settings))


def asked(session: ChatSession, question: str) -> list[dict[str, Any]]:
    """The conversation with one more question."""
    return [*session.messages, {"role": "user", "content": question}]


def prefix(left: list[int], right: list[int]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )


# Turns


def test_every_turn_is_answered_like_the_whole_conversation(loaded: Loaded, session: ChatSession) -> None:
    answers = []
    for question in QUESTIONS:
        expected = fresh(loaded, asked(session, question))
        answers.append(tokens(ask(session, question)))
        assert answers[-1] == expected
    assert len({tuple(answer) for answer in answers}) == 3


def test_a_turn_reads_only_what_the_turns_before_did_not(loaded: Loaded, session: ChatSession) -> None:
    held: list[int] = []
    reused = []
    for question in QUESTIONS:
        ids = loaded.tokenizer.encode_chat(asked(session, question))
        events = ask(session, question)
        assert {event.reused_tokens for event in events} == {prefix(held, ids)}
        assert {event.prompt_tokens for event in events} == {len(ids) - prefix(held, ids)}
        assert session.context_tokens == len(ids) + TOKENS - 1  # nobody needed the last one yet
        held = [*ids, *tokens(events)[:-1]]
        reused.append(events[0].reused_tokens)
    assert reused[0] == 0
    assert reused[1] >= len(loaded.tokenizer.encode_chat([{"role": "user", "content": QUESTIONS[0]}]))
    assert reused[2] > reused[1] + TOKENS


def test_an_answer_that_the_model_ended_is_not_read_again(loaded: Loaded, session: ChatSession) -> None:
    loaded.tokenizer.eos_ids = frozenset({END})
    try:
        question, events = next(
            (q, e) for q in map(str, range(300)) if (e := _ended_by_the_model(session, q))
        )
    finally:
        loaded.tokenizer.eos_ids = frozenset()
    ids = loaded.tokenizer.encode_chat([{"role": "user", "content": question}])
    assert session.messages[-1] == {"role": "assistant", "content": text(events)}
    answered = [*ids, *tokens(events)]
    again = loaded.tokenizer.encode_chat(asked(session, "x"))
    assert prefix(answered, again) == len(answered)
    assert ask(session, "x")[0].reused_tokens == len(answered)


def _ended_by_the_model(session: ChatSession, question: str) -> list[GenerationEvent] | None:
    session.clear()
    events = ask(session, question, max_tokens=60)
    round_trip = "th" not in text(events) and len(events) > 3  # the tokenizer would merge t and h
    return events if events[-1].finish_reason == "stop" and round_trip else None


def test_messages_hold_the_conversation(session: ChatSession) -> None:
    first, second = ask(session, QUESTIONS[0]), ask(session, QUESTIONS[1])
    assert session.messages == [
        {"role": "user", "content": QUESTIONS[0]},
        {"role": "assistant", "content": text(first)},
        {"role": "user", "content": QUESTIONS[1]},
        {"role": "assistant", "content": text(second)},
    ]


@pytest.mark.parametrize("system", [None, "Speak like a pirate."])
def test_the_system_prompt_stands_once_whatever_the_number_of_turns(
    loaded: Loaded, system: str | None
) -> None:
    session = ChatSession(loaded.model, loaded.tokenizer, system, max_tokens=2)
    read = [ask(session, question)[0] for question in QUESTIONS]
    conversation = loaded.tokenizer.encode_chat(session.messages[:-1])
    assert read[-1].reused_tokens + read[-1].prompt_tokens == len(conversation)
    assert loaded.tokenizer.decode(conversation).count("system\n") == 1
    assert (system or "You are a helpful assistant.") in loaded.tokenizer.decode(conversation)


# Editing


def test_an_edited_question_is_read_again_from_the_edit_on(loaded: Loaded, session: ChatSession) -> None:
    for question in QUESTIONS:
        ask(session, question)
    before = loaded.tokenizer.encode_chat(session.messages)
    session.messages[2]["content"] = "And who lost its key?"
    expected = fresh(loaded, asked(session, "Why?"))
    ids = loaded.tokenizer.encode_chat(asked(session, "Why?"))
    events = ask(session, "Why?")
    assert tokens(events) == expected
    assert events[0].reused_tokens == prefix(before, ids)
    assert "And who " in loaded.tokenizer.decode(ids[: events[0].reused_tokens])


def test_asking_the_last_question_again_reads_one_token(loaded: Loaded, session: ChatSession) -> None:
    ask(session, QUESTIONS[0])
    first = ask(session, QUESTIONS[1])
    del session.messages[-2:]
    again = ask(session, QUESTIONS[1])
    assert tokens(again) == tokens(first)
    assert again[0].prompt_tokens == 1


def test_a_conversation_put_in_from_outside_is_continued(loaded: Loaded, session: ChatSession) -> None:
    ask(session, "Something else")
    session.messages[:] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
    ]
    expected = fresh(loaded, asked(session, "Bye"))
    assert tokens(ask(session, "Bye")) == expected


def test_clear_forgets_everything_but_the_system_message(loaded: Loaded) -> None:
    session = ChatSession(loaded.model, loaded.tokenizer, "Be brief.", max_tokens=TOKENS)
    first = ask(session, QUESTIONS[0])
    ask(session, QUESTIONS[1])
    session.clear()
    assert session.messages == [{"role": "system", "content": "Be brief."}]
    assert session.context_tokens == 0
    again = ask(session, QUESTIONS[0])
    assert tokens(again) == tokens(first)
    assert again[0].reused_tokens == 0


# Stopping


@pytest.mark.parametrize("taken", [1, 2, 7])
def test_a_stopped_answer_keeps_what_was_shown(loaded: Loaded, session: ChatSession, taken: int) -> None:
    with closing(session.send(QUESTIONS[0])) as running:  # type: ignore[type-var]
        shown = text(list(islice(running, taken)))
    assert session.messages[1:] == [{"role": "assistant", "content": shown}]
    undisturbed = ChatSession(loaded.model, loaded.tokenizer, max_tokens=TOKENS)
    assert text(ask(undisturbed, QUESTIONS[0])).startswith(shown)
    expected = fresh(loaded, asked(session, QUESTIONS[1]))
    events = ask(session, QUESTIONS[1])
    assert tokens(events) == expected
    assert events[0].reused_tokens >= len(loaded.tokenizer.encode_chat(session.messages[:1]))


def test_a_question_that_was_never_put_is_not_kept(session: ChatSession) -> None:
    session.send(QUESTIONS[0]).close()  # type: ignore[attr-defined]
    assert session.messages == []


class _Interruption(BaseException):
    pass


def test_a_question_interrupted_while_being_read_is_taken_back_but_not_read_twice(
    loaded: Loaded, session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 20:
            raise _Interruption

    monkeypatch.setattr(generate, "PREFILL_STEP", 10)
    with pytest.raises(_Interruption):
        ask(session, QUESTIONS[0], on_prefill=interrupt)
    assert session.messages == []
    assert session.context_tokens == 20
    events = ask(session, QUESTIONS[0])
    assert tokens(events) == fresh(loaded, session.messages[:1])
    assert events[0].reused_tokens == 20


@pytest.mark.parametrize("layer_calls", [1, 2, 3, 4, 7, 8])
def test_an_interruption_between_two_layers_does_no_harm(
    loaded: Loaded, session: ChatSession, monkeypatch: pytest.MonkeyPatch, layer_calls: int
) -> None:
    """The first layer's cache then holds tokens that the second layer's lacks."""
    beginning = "Tell me whatever you know of the gates of this town, and begin with the one in the"
    ask(session, QUESTIONS[0])
    before = list(session.messages)
    with monkeypatch.context() as patch:
        patch.setattr(DecoderLayer, "__call__", _failing_after(layer_calls, DecoderLayer.__call__))
        with pytest.raises(_Interruption):
            ask(session, f"{beginning} north.")
    assert session.messages[: len(before)] == before
    question = f"{beginning} south."
    expected = fresh(loaded, asked(session, question))
    assert tokens(ask(session, question)) == expected


def _failing_after(calls: int, original: Callable[..., Any]) -> Callable[..., Any]:
    left = calls

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Interruption
        return original(*arguments, **options)

    return call


@pytest.mark.parametrize("settings", [{"temperature": -1.0}, {"max_tokens": -1}, {"max_tokens": 0}], ids=str)
def test_an_impossible_setting_takes_the_question_back(
    loaded: Loaded, session: ChatSession, settings: dict[str, Any]
) -> None:
    ask(session, QUESTIONS[0])
    with pytest.raises(ValueError, match=next(iter(settings))):
        ask(session, QUESTIONS[1], **settings)
    assert [message["role"] for message in session.messages] == ["user", "assistant"]
    expected = fresh(loaded, asked(session, QUESTIONS[1]))
    assert tokens(ask(session, QUESTIONS[1])) == expected


# Limits


def test_a_conversation_beyond_the_context_is_refused_and_the_session_goes_on(
    loaded: Loaded, session: ChatSession
) -> None:
    ask(session, QUESTIONS[0])
    before = list(session.messages)
    with pytest.raises(PromptError, match=rf"\d+ tokens long and the model handles {CONTEXT}"):
        ask(session, "x " * CONTEXT)
    assert session.messages == before
    expected = fresh(loaded, asked(session, QUESTIONS[1]))
    events = ask(session, QUESTIONS[1])
    assert tokens(events) == expected
    assert events[0].reused_tokens > 0


def test_an_answer_ends_where_the_context_does(loaded: Loaded, session: ChatSession) -> None:
    overhead = len(loaded.tokenizer.encode_chat([{"role": "user", "content": ""}]))
    events = ask(session, "1" * (CONTEXT - overhead - 5), max_tokens=1000)
    assert len(events) == 5
    assert events[-1].finish_reason == "length"
    with pytest.raises(PromptError):
        ask(session, "1")
    session.clear()
    with pytest.raises(PromptError):
        ask(session, "1" * (CONTEXT - overhead))
    assert len(ask(session, "1" * (CONTEXT - overhead - 1))) == 1


# Settings


def test_the_sessions_sampling_holds_unless_a_turn_overrides_it(loaded: Loaded) -> None:
    sampling = Sampling(temperature=1.5, seed=3)
    session = ChatSession(loaded.model, loaded.tokenizer, sampling=sampling, max_tokens=TOKENS)
    conversation = asked(session, QUESTIONS[0])
    sampled, greedy = fresh(loaded, conversation, sampling=sampling), fresh(loaded, conversation)
    assert tokens(ask(session, QUESTIONS[0])) == sampled != greedy
    session.clear()
    assert tokens(ask(session, QUESTIONS[0], temperature=0.0)) == greedy
    session.clear()
    assert tokens(ask(session, QUESTIONS[0], max_tokens=3)) == sampled[:3]


def test_a_repetition_penalty_looks_back_on_cached_turns(loaded: Loaded) -> None:
    """It once saw only the tokens that were new, so an answer depended on what the cache held."""
    sampling = Sampling(repetition_penalty=1.3)
    session = ChatSession(loaded.model, loaded.tokenizer, sampling=sampling, max_tokens=TOKENS)
    for question in QUESTIONS:
        conversation = asked(session, question)
        expected = fresh(loaded, conversation, sampling=sampling)
        assert tokens(ask(session, question)) == expected != fresh(loaded, conversation)


def test_a_stop_string_is_not_part_of_the_answer(loaded: Loaded, session: ChatSession) -> None:
    whole = text(ask(session, QUESTIONS[0]))
    stop = whole[4:6]
    session.clear()
    events = ask(session, QUESTIONS[0], stop=[stop])
    assert text(events) == whole[: whole.index(stop)]
    assert session.messages[-1]["content"] == text(events)
    expected = fresh(loaded, asked(session, QUESTIONS[1]))
    assert tokens(ask(session, QUESTIONS[1])) == expected


# Memory


def test_a_conversation_goes_on_in_a_smaller_cache_when_memory_asks_for_it(tmp_path: Path) -> None:
    folder = write_lively_checkpoint(tmp_path, DENSE | {"hidden_size": 128})
    model, tokenizer = load(str(folder), rope="plain")
    tokenizer.eos_ids = frozenset()

    def plan(tokens: int) -> Plan:
        kv = KVFormat(8, 8) if tokens > 100 else None
        return Plan(tokens, kv, 64, weights=0, cache=0, workspace=0)

    session = ChatSession(model, tokenizer, max_tokens=TOKENS, plan=plan)
    ask(session, "1")
    assert session._cache[0].format is None
    conversation = asked(session, "2" * 60)
    events = ask(session, "2" * 60)
    assert session._cache[0].format == KVFormat(8, 8)
    assert events[0].reused_tokens == 0
    fresh_events = stream_generate(
        model, tokenizer, conversation, max_tokens=TOKENS, cache=model.make_cache(KVFormat(8, 8)),
        prefill_step=64,
    )  # fmt: skip
    assert tokens(events) == tokens(list(fresh_events))


def test_a_turn_that_does_not_fit_is_taken_back(loaded: Loaded) -> None:
    def plan(tokens: int) -> Plan:
        raise MemoryLimitError(f"{tokens} tokens are too many")

    session = ChatSession(loaded.model, loaded.tokenizer, plan=plan)
    with pytest.raises(MemoryLimitError):
        ask(session, QUESTIONS[0])
    assert session.messages == []
