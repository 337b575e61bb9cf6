"""Prompt in, events out: prefill, one step, many steps.

mlx-lm's generation loop drives our models too (the tests compare the tokens). This one
exists because importing mlx-lm's costs about a second of start-up for code a prompt
never runs, and because prefill must report progress and stop between pieces.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from qwen2_mlx.cache.remember import announce
from qwen2_mlx.errors import PromptError
from qwen2_mlx.models import Model
from qwen2_mlx.sampling import LogitsProcessor, Sampler, Sampling
from qwen2_mlx.stop_strings import StopStrings
from qwen2_mlx.tokenizer import Tokenizer

#: Prompt tokens computed at once. Larger pieces are faster and need more memory.
PREFILL_STEP = 2048

#: A prompt: plain text, token ids, or chat messages.
Prompt = str | Sequence[int] | Sequence[Mapping[str, Any]]

#: Called with (tokens done, tokens in all) as a prompt is processed.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class GenerationEvent:
    """One generated token and the run so far.

    `text` is what the token completes, possibly nothing. `finish_reason` is None until
    the last event, then "stop" (the model ended, or a stop string) or "length".
    `prompt_tokens` counts what was computed, `reused_tokens` what the cache held. Rates are
    tokens per second, `time_to_first_token` is seconds, `peak_memory` bytes.
    """

    text: str
    token: int
    finish_reason: str | None
    prompt_tokens: int
    reused_tokens: int
    generation_tokens: int
    prompt_tps: float
    generation_tps: float
    time_to_first_token: float
    peak_memory: int


def stream_generate(
    model: Model,
    tokenizer: Tokenizer,
    prompt: Prompt,
    *,
    max_tokens: int = 256,
    sampling: Sampling | None = None,
    stop: Sequence[str] = (),
    cache: list[Any] | None = None,
    cached: Sequence[int] = (),
    on_prefill: Progress | None = None,
    prefill_step: int | None = None,
    **settings: Any,
) -> Generator[GenerationEvent, None, None]:
    """Generates until the model ends its answer, a stop string appears or `max_tokens` are out.

    `sampling` defaults to the checkpoint's own generation_config.json; keyword arguments
    named like its fields (`temperature=0.0`) override it. With a `cache` from
    `model.make_cache()`, `prompt` is what follows the tokens already in it; `cached`
    are those tokens, for a repetition penalty to look back on. Closing the
    iterator early leaves prompt and yielded tokens in the cache.

    Raises `PromptError` for an empty prompt and `ValueError` for impossible settings.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens is {max_tokens}; at least 1 is needed")
    ids = encode_prompt(tokenizer, prompt)
    rows = model.args.vocab_size
    if min(ids) < 0 or max(ids) >= rows:  # MLX would read whatever memory lies there
        raise PromptError(f"the prompt holds a token outside the model's vocabulary of {rows} rows")
    cache = model.make_cache() if cache is None else cache
    sampling = (sampling or model.sampling).override(**settings)
    if sampling.seed is not None:
        mx.random.seed(sampling.seed)

    reused, start = cache[0].offset, time.perf_counter()
    mx.reset_peak_memory()
    detokenizer, stops = tokenizer.detokenizer(), StopStrings(stop)
    first_at = start
    tokens = generate_tokens(model, ids, cache, sampling, max_tokens, on_prefill, cached, prefill_step)
    for count, token in enumerate(tokens, 1):
        now = time.perf_counter()
        first_at = now if count == 1 else first_at
        ended = token in tokenizer.eos_ids
        text = stops.add("" if ended else detokenizer.add(token))
        finish = "stop" if ended or stops.found else "length" if count == max_tokens else None
        if finish and not stops.found:
            text += stops.add(detokenizer.finish())
            text += stops.finish()
            finish = "stop" if stops.found else finish
        yield GenerationEvent(
            text=text,
            token=token,
            finish_reason=finish,
            prompt_tokens=len(ids),
            reused_tokens=reused,
            generation_tokens=count,
            prompt_tps=len(ids) / (first_at - start),
            generation_tps=(count - 1) / (now - first_at) if count > 1 else 0.0,
            time_to_first_token=first_at - start,
            peak_memory=mx.get_peak_memory(),
        )
        if finish:
            return


def encode_prompt(tokenizer: Tokenizer, prompt: Prompt) -> list[int]:
    """Token ids of a prompt of any kind. Raises `PromptError` when there are none."""
    if isinstance(prompt, str):
        ids = tokenizer.encode(prompt)
    elif all(isinstance(part, Mapping) for part in prompt):
        ids = tokenizer.encode_chat(prompt) if prompt else []  # type: ignore[arg-type]
    else:
        ids = [int(token) for token in prompt]  # type: ignore[arg-type]
    if not ids:
        raise PromptError("the prompt is empty; give it some text")
    return ids


def generate_tokens(
    model: Model,
    prompt: Sequence[int],
    cache: list[Any],
    sampling: Sampling,
    max_tokens: int,
    on_prefill: Progress | None = None,
    cached: Sequence[int] = (),
    prefill_step: int | None = None,
) -> Iterator[int]:
    """Yields up to `max_tokens` token ids.

    The cache then holds the prompt and what was yielded, without the very last of
    `max_tokens`, which nothing followed. `cached` are the tokens it holds to begin with.
    """
    tokens = mx.array(list(prompt))
    sampler, processors = sampling.sampler(model.args.vocab_size), sampling.logits_processors()
    announce(cache, cache[0].offset + len(prompt))
    prefill(model, tokens[:-1], cache, on_prefill, prefill_step)

    history = mx.array([*cached, *prompt]) if processors else None
    ahead = step(model, tokens[-1:], cache, sampler, processors, history)
    mx.async_eval(ahead)
    for count in range(1, max_tokens + 1):
        current = ahead
        if count < max_tokens:
            # The next step is put to work before this token is read, so that the
            # processor never waits for Python.
            history = mx.concatenate([history, current]) if history is not None else None
            ahead = step(model, current, cache, sampler, processors, history)
            mx.async_eval(ahead)
        yield cast(int, current.item())


def prefill(
    model: Model,
    tokens: mx.array,
    cache: list[Any],
    on_prefill: Progress | None = None,
    prefill_step: int | None = None,
) -> None:
    """Runs `tokens` (time,) through the model, `prefill_step` at once (PREFILL_STEP), for the cache alone.

    Where more of the prompt follows in another call, `announce` its whole length before.
    """
    total, length = tokens.shape[0], prefill_step or PREFILL_STEP
    for done in range(0, total, length):
        model(tokens[None, done : done + length], cache=cache)
        mx.eval([layer_cache.state for layer_cache in cache])
        mx.clear_cache()
        if on_prefill:
            on_prefill(min(done + length, total), total)


def step(
    model: Model,
    tokens: mx.array,
    cache: list[Any],
    sampler: Sampler,
    processors: Sequence[LogitsProcessor] = (),
    history: mx.array | None = None,
) -> mx.array:
    """Feeds `tokens` (time,) and draws the token that follows them, (1,), not yet computed."""
    logits = model(tokens[None], cache=cache)[:, -1, :]
    for process in processors:
        assert history is not None
        logits = process(history, logits)
    return sampler(logits - mx.logsumexp(logits, keepdims=True))
