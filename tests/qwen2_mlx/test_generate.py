"""Generation: the tokens of mlx-lm's loop, pieces, stops, an interrupted run, statistics."""

from contextlib import closing
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.generate import batch_generate, generate_step
from mlx_lm.generate import stream_generate as their_stream_generate
from mlx_lm.models.cache import load_prompt_cache, make_prompt_cache, save_prompt_cache, trim_prompt_cache
from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.utils import load_model as their_load_model
from transformers import PreTrainedTokenizerFast

import qwen2_mlx
from qwen2_mlx import generate
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent, generate_tokens, stream_generate
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.tokenizer import Tokenizer
from tests.checkpoints import DENSE, edit_json, edit_tensors, write_checkpoint
from tests.qwen2_mlx.lively import Loaded, write_lively_checkpoint

PROMPTS = {
    "one token": [7],
    "two tokens": [7, 9],
    "short": list(range(20, 43)),
    "long": [i % 250 for i in range(300)],
}
TOKENS = 24
PROMPT = PROMPTS["short"]

SAMPLINGS = {
    "greedy": Sampling(),
    "sampled": Sampling(temperature=1.5, seed=3),
    "narrowed": Sampling(temperature=1.0, top_p=0.9, top_k=30, min_p=0.01, seed=4),
    "penalised": Sampling(repetition_penalty=1.5),
}


def run(
    loaded: Loaded, prompt: Any = PROMPT, max_tokens: int = TOKENS, **settings: Any
) -> list[GenerationEvent]:
    return list(stream_generate(loaded.model, loaded.tokenizer, prompt, max_tokens=max_tokens, **settings))


def tokens(events: list[GenerationEvent]) -> list[int]:
    return [event.token for event in events]


def text(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events)


def offsets(cache: list[Any]) -> set[int]:
    return {layer_cache.offset for layer_cache in cache}


# The same tokens as mlx-lm


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_mlx_lms_loop_draws_the_same_tokens_from_our_model(
    loaded: Loaded, prompt: list[int], sampling: Sampling
) -> None:
    if sampling.seed is not None:
        mx.random.seed(sampling.seed)
    steps = generate_step(
        mx.array(prompt),
        loaded.model,
        max_tokens=TOKENS,
        sampler=sampling.sampler(DENSE["vocab_size"]),
        logits_processors=sampling.logits_processors(),
    )
    expected = [int(token) for token, _ in steps]
    assert len(set(expected)) > 5, "a loop would hide differences"
    assert tokens(run(loaded, prompt, sampling=sampling)) == expected


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_mlx_lms_own_model_gives_the_same_tokens(loaded: Loaded, prompt: list[int]) -> None:
    theirs: Any = their_load_model(loaded.folder)[0]
    ours = load_model(loaded.folder, read_config(loaded.folder))  # mlx-lm does not forbid padding rows
    expected = [int(token) for token, _ in generate_step(mx.array(prompt), theirs, max_tokens=TOKENS)]
    assert list(generate_tokens(ours, prompt, ours.make_cache(), Sampling(), TOKENS)) == expected


# mlx-lm drives our model unchanged


@pytest.fixture
def their_tokenizer(loaded: Loaded) -> Any:
    wrapper = TokenizerWrapper(PreTrainedTokenizerFast.from_pretrained(str(loaded.folder)))
    wrapper.eos_token_ids = set()
    return wrapper


def test_mlx_lms_stream_generate_gives_the_same_tokens(loaded: Loaded, their_tokenizer: Any) -> None:
    model: Any = loaded.model
    responses = list(their_stream_generate(model, their_tokenizer, PROMPT, max_tokens=TOKENS))
    assert [response.token for response in responses] == tokens(run(loaded))


def test_mlx_lms_batch_gives_each_prompt_the_tokens_it_gets_alone(
    loaded: Loaded, their_tokenizer: Any
) -> None:
    prompts = [PROMPTS["short"], PROMPTS["two tokens"], PROMPTS["long"]]
    answers = batch_generate(
        loaded.model, their_tokenizer, prompts, max_tokens=TOKENS, return_token_ids=True
    ).token_ids
    assert answers == [tokens(run(loaded, prompt)) for prompt in prompts]


def test_mlx_lms_saved_and_trimmed_cache_continues_like_a_fresh_run(loaded: Loaded, tmp_path: Path) -> None:
    expected = run(loaded)
    cache = make_prompt_cache(loaded.model)
    run(loaded, [*PROMPT[:10], 1, 2, 3], max_tokens=1, cache=cache)
    save_prompt_cache(str(tmp_path / "cache.safetensors"), cache)
    restored: Any = load_prompt_cache(str(tmp_path / "cache.safetensors"))
    assert trim_prompt_cache(restored, 3) == 3
    events = run(loaded, PROMPT[10:], cache=restored)
    assert tokens(events) == tokens(expected)
    assert {event.reused_tokens for event in events} == {10}


def test_mlx_lm_can_quantise_our_cache(tmp_path: Path) -> None:
    folder = write_lively_checkpoint(
        tmp_path, DENSE | {"head_dim": 64}
    )  # mlx-lm quantises 64 numbers together
    model, _ = qwen2_mlx.load(str(folder))
    cache: Any = make_prompt_cache(model)
    steps = generate_step(
        mx.array(PROMPT), model, prompt_cache=cache, max_tokens=6, kv_bits=8, quantized_kv_start=0
    )
    quantised = [int(token) for token, _ in steps]
    assert {layer_cache.bits for layer_cache in cache} == {8}
    assert quantised == list(generate_tokens(model, PROMPT, model.make_cache(), Sampling(), 6))


# Prefill


@pytest.mark.parametrize("step", [1, 3, 22, 23])
def test_prefill_in_pieces_gives_the_same_tokens(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    expected = tokens(run(loaded))
    monkeypatch.setattr(generate, "PREFILL_STEP", step)
    assert tokens(run(loaded)) == expected


def test_prefill_reports_each_piece(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "PREFILL_STEP", 5)
    reports: list[tuple[int, int]] = []
    run(loaded, max_tokens=1, on_prefill=lambda done, total: reports.append((done, total)))
    assert reports == [(5, 22), (10, 22), (15, 22), (20, 22), (22, 22)]


# Ends


def test_max_tokens_is_exact(loaded: Loaded) -> None:
    expected = tokens(run(loaded))
    for count in (1, 2, 7):
        events = run(loaded, max_tokens=count)
        assert tokens(events) == expected[:count]
        assert [event.finish_reason for event in events] == [None] * (count - 1) + ["length"]


def test_no_tokens_at_all_is_an_error(loaded: Loaded) -> None:
    with pytest.raises(ValueError, match="max_tokens is 0"):
        run(loaded, max_tokens=0)


def test_the_whole_text_is_shown(loaded: Loaded) -> None:
    events = run(loaded)
    whole = loaded.tokenizer.decode(tokens(events))
    assert text(events).rstrip("\ufffd") == whole.rstrip("\ufffd")
    assert len(whole) > 10


def test_an_end_token_ends_the_answer_and_is_not_shown(loaded: Loaded) -> None:
    plain = tokens(run(loaded))
    at = next(i for i in range(5, TOKENS) if plain[i] not in plain[:i])
    tokenizer = Tokenizer.from_folder(loaded.folder, (plain[at],))
    events = list(stream_generate(loaded.model, tokenizer, PROMPT, max_tokens=TOKENS))
    assert tokens(events) == plain[: at + 1]
    assert [event.finish_reason for event in events] == [None] * at + ["stop"]
    assert text(events).rstrip("\ufffd") == tokenizer.decode(plain[:at]).rstrip("\ufffd")


class Scripted:
    """A model that says `answer` whatever it is asked, then full stops."""

    def __init__(self, loaded: Loaded, answer: str):
        self.args, self.sampling = loaded.model.args, Sampling()
        self._prompt = len(loaded.tokenizer.encode("go"))
        self._answer = [*loaded.tokenizer.encode(answer), *loaded.tokenizer.encode("." * TOKENS)]

    def make_cache(self) -> list[Any]:
        from mlx_lm.models.cache import KVCache

        return [KVCache()]

    def __call__(self, inputs: mx.array, cache: list[Any]) -> mx.array:
        time = inputs.shape[1]
        cache[0].update_and_fetch(mx.zeros((1, 1, time, 1)), mx.zeros((1, 1, time, 1)))
        said = cache[0].offset - self._prompt
        logits = np.zeros((1, time, self.args.vocab_size), dtype=np.float32)
        logits[:, -1, self._answer[max(said, 0)]] = 1.0
        return mx.array(logits)


@pytest.mark.parametrize(
    ("answer", "stop", "expected"),
    [
        ("Paris. And more", [". And"], "Paris"),
        ("one two three", ["wo thr"], "one t"),
        ("one two three", ["three"], "one two "),
        ("abcabd", ["abd"], "abc"),
        ("你好世界", ["世"], "你好"),
        ("x\n\nUser: y", ["User:", "\n\n"], "x"),
        ("stop", ["s"], ""),
        ("1234567890", ["never"], "1234567890" + "." * (TOKENS - 10)),
        ("a", ["." * TOKENS], "a" + "." * (TOKENS - 1)),
        ("a", ["." * (TOKENS - 1)], "a"),
    ],
)
def test_a_stop_string_ends_the_answer_and_no_part_of_it_is_shown(
    loaded: Loaded, answer: str, stop: list[str], expected: str
) -> None:
    model: Any = Scripted(loaded, answer)
    events = list(stream_generate(model, loaded.tokenizer, "go", max_tokens=TOKENS, stop=stop))
    assert text(events) == expected
    found = len(expected) < TOKENS
    assert events[-1].finish_reason == ("stop" if found else "length")
    assert all(event.finish_reason is None for event in events[:-1])
    assert all(expected.startswith("".join(e.text for e in events[:n])) for n in range(len(events)))


# Padding rows


def test_padding_rows_are_never_sampled_however_likely_and_hot(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, DENSE | {"tie_word_embeddings": False})

    def enlarge(tensors: dict[str, np.ndarray]) -> None:
        head = tensors["lm_head.weight"]
        head[260:262] = 1000 * head[0]
        head[262:] = -1000 * head[0]  # whichever the sign of the state, two rows win

    edit_tensors(folder, enlarge)
    unguarded = load_model(folder, read_config(folder))
    assert np.array(unguarded(mx.array([PROMPT])))[0, -1].argmax() >= 260
    model, tokenizer = qwen2_mlx.load(str(folder))
    tokenizer.eos_ids = frozenset()
    hot = Sampling(temperature=100.0)
    for sampling in (hot, hot.override(top_k=262), hot.override(top_p=0.99), Sampling()):
        events = stream_generate(model, tokenizer, PROMPT, max_tokens=100, sampling=sampling)
        assert all(event.token < 260 for event in events)


# A run that is broken off


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_closing_while_generating_leaves_a_cache_that_continues_like_a_fresh_run(
    loaded: Loaded, taken: int
) -> None:
    cache = loaded.model.make_cache()
    events = stream_generate(loaded.model, loaded.tokenizer, PROMPT, max_tokens=TOKENS, cache=cache)
    with closing(events) as running:  # type: ignore[type-var]
        first = tokens(list(islice(running, taken)))
    assert offsets(cache) == {len(PROMPT) + taken}
    following = [50, 51, 52]
    assert tokens(run(loaded, following, cache=cache)) == tokens(run(loaded, [*PROMPT, *first, *following]))


def test_the_last_token_of_a_full_run_is_not_in_the_cache(loaded: Loaded) -> None:
    cache = loaded.model.make_cache()
    first = tokens(run(loaded, max_tokens=5, cache=cache))
    assert offsets(cache) == {len(PROMPT) + 4}
    assert (
        tokens(run(loaded, first[-1:], max_tokens=5, cache=cache)) == tokens(run(loaded, max_tokens=10))[5:]
    )


class _Interruption(Exception):
    pass


def test_breaking_off_prefill_leaves_a_cache_that_continues_like_a_fresh_run(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 8:
            raise _Interruption

    expected, cache = tokens(run(loaded)), loaded.model.make_cache()
    monkeypatch.setattr(generate, "PREFILL_STEP", 4)
    with pytest.raises(_Interruption):
        run(loaded, cache=cache, on_prefill=interrupt)
    assert offsets(cache) == {8}
    assert tokens(run(loaded, PROMPT[8:], cache=cache)) == expected


# Sampling


def test_a_seed_repeats_the_answer_and_another_changes_it(loaded: Loaded) -> None:
    first, again, other = (tokens(run(loaded, temperature=1.5, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_checkpoints_own_sampling_is_the_default_and_can_be_overridden(tmp_path: Path) -> None:
    folder = write_lively_checkpoint(tmp_path)
    greedy = Loaded(folder, *qwen2_mlx.load(str(folder)))
    assert greedy.model.sampling == Sampling()
    edit_json(folder / "generation_config.json", do_sample=True, temperature=5.0, top_k=50)
    hot = Loaded(folder, *qwen2_mlx.load(str(folder)))
    assert hot.model.sampling == Sampling(temperature=5.0, top_k=50)
    expected = tokens(run(greedy))
    assert tokens(run(hot, seed=1)) == tokens(run(greedy, temperature=5.0, top_k=50, seed=1)) != expected
    assert tokens(run(hot, temperature=0.0)) == expected
    assert tokens(run(hot, sampling=Sampling())) == expected


def test_the_penalty_counts_the_whole_prompt_cached_or_not(loaded: Loaded) -> None:
    expected = tokens(run(loaded, repetition_penalty=1.5))
    cache = loaded.model.make_cache()
    run(loaded, PROMPT[:20], max_tokens=1, cache=cache)
    rest = run(loaded, PROMPT[20:], cache=cache, cached=PROMPT[:20], repetition_penalty=1.5)
    assert tokens(rest) == expected != tokens(run(loaded))


# Prompts


def test_text_ids_and_messages_are_prompts(loaded: Loaded) -> None:
    messages = [{"role": "user", "content": "the sea"}]
    assert tokens(run(loaded, "the sea")) == tokens(run(loaded, loaded.tokenizer.encode("the sea")))
    assert tokens(run(loaded, messages)) == tokens(run(loaded, loaded.tokenizer.encode_chat(messages)))
    assert tokens(run(loaded, np.array(PROMPT))) == tokens(run(loaded))


@pytest.mark.parametrize("prompt", ["", []], ids=["text", "list"])
def test_an_empty_prompt_is_an_error(loaded: Loaded, prompt: Any) -> None:
    with pytest.raises(PromptError, match="the prompt is empty"):
        run(loaded, prompt)


# Statistics


def test_statistics_describe_the_run(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(start=100.0, tick=0.5)
    monkeypatch.setattr(generate, "time", SimpleNamespace(perf_counter=clock))
    cache = loaded.model.make_cache()
    run(loaded, PROMPT[:9], max_tokens=1, cache=cache)
    clock.now = 100.0
    events = run(loaded, PROMPT[9:], max_tokens=4, cache=cache)
    assert {(e.prompt_tokens, e.reused_tokens) for e in events} == {(14, 9)}
    assert [e.generation_tokens for e in events] == [1, 2, 3, 4]
    # The clock is read once at the start and once a token, half a second apart.
    assert {e.time_to_first_token for e in events} == {0.5}
    assert {e.prompt_tps for e in events} == {14 / 0.5}
    assert [e.generation_tps for e in events] == [0.0, 2.0, 2.0, 2.0]


class _Clock:
    def __init__(self, start: float, tick: float):
        self.now, self._tick = start, tick

    def __call__(self) -> float:
        self.now += self._tick
        return self.now


def test_peak_memory_is_in_bytes_and_holds_at_least_the_weights(loaded: Loaded) -> None:
    from mlx.utils import tree_flatten

    weights: Any = tree_flatten(loaded.model.parameters())
    size = sum(weight.nbytes for _, weight in weights)
    assert size <= run(loaded, max_tokens=2)[-1].peak_memory < 1000 * size
