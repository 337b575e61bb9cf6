"""Replies that copy one of several given texts: word for word by construction, in a few steps.

Only the texts are looked at, and of these only what is likely: tokens that must follow one
another are computed together, and most texts are never computed at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import takewhile
from typing import Any, cast

import mlx.core as mx

from app.ask import prompts
from app.ask.fence import fence
from app.ask.marks import without_marks
from app.ask.passage import Passage
from app.ask.roles.engine import LEAST_STORED, Engine
from app.ask.roles.prompt import Message, Prompt, shared_prompt
from app.ask.sentences import sentences
from qwen2_mlx.tokenizer import Tokenizer

#: Texts are told apart by so many tokens, where these differ.
_ENOUGH = 40

#: Computations after which the likeliest beginning decides.
_MOST_STEPS = 32


class Copyist:
    """Copies a text as the reply to a prompt, which `cache` holds.

    `logits`, (vocab,), are those of the reply's first token.
    """

    def __init__(self, engine: Engine, cache: list[Any], logits: mx.array):
        self._engine, self._cache = engine, cache
        self._held: list[int] = []  # what the cache holds behind the prompt
        self._rows = [_log_probabilities(logits)]  # after each beginning of it

    def copy(self, texts: Sequence[Sequence[int]]) -> int:
        """The index of the text, given as token ids, that the model most likely writes.

        Of equal ones it is the first. No text may be the beginning of another: see `end_token`.
        The likeliest beginning is followed first, and another one as soon as that is likelier.
        A beginning that only one text has does not decide: a model that wants to go on
        differently would be held to a sentence that it does not mean.
        """
        open_ends = [_Beginning(0.0, 0, tuple(range(len(texts))))]
        for _ in range(_MOST_STEPS):
            best = heappop(open_ends)
            if best.is_whole:
                break
            for longer in self._longer(best, texts):
                heappush(open_ends, longer)
        else:
            best = heappop(open_ends)
        return best.texts[0]

    def _longer(self, begun: "_Beginning", texts: Sequence[Sequence[int]]) -> Iterator["_Beginning"]:
        """What can follow a beginning, up to where its texts part."""
        first = texts[begun.texts[0]]
        depth = begun.depth
        end = min(len(first), max(depth, _ENOUGH))
        while depth < end and len({texts[index][depth] for index in begun.texts}) == 1:
            depth += 1
        rows = self._read(first[:depth])
        cost = begun.cost - sum(_value(rows[at], first[at]) for at in range(begun.depth, depth))
        followers: dict[int, list[int]] = {}
        for index in begun.texts:
            followers.setdefault(texts[index][depth] if depth < len(texts[index]) else -1, []).append(index)
        if depth == end and all(texts[index] == first for index in begun.texts):
            yield _Beginning(cost, depth, begun.texts, True)
            return
        for token, indexes in followers.items():
            yield _Beginning(cost - _value(rows[depth], token), depth + 1, tuple(indexes))

    def _read(self, reply: Sequence[int]) -> list[mx.array]:
        """Log-probabilities, (vocab,), after each beginning of `reply`, from the empty one to all of it."""
        pairs = zip(self._held, reply, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        new = list(reply[same:])
        if new:
            for layer_cache in self._cache:
                layer_cache.trim(len(self._held) - same)
            rows = _log_probabilities(self._engine.follow_all(new, self._cache))
            self._engine.counter.add(generated=len(new))
            self._held = [*self._held[:same], *new]
            self._rows = [*self._rows[: same + 1], *rows]
        return self._rows


@dataclass(order=True, frozen=True)
class _Beginning:
    """The first `depth` tokens of `texts` (indexes), and how unlikely they are: - log(probability)."""

    cost: float
    depth: int
    texts: tuple[int, ...]
    is_whole: bool = False


def _log_probabilities(logits: mx.array) -> mx.array:
    logits = logits.astype(mx.float32)
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def _value(row: mx.array, token: int) -> float:
    return cast(float, row[token].item())


def end_token(tokenizer: Tokenizer) -> int:
    """The token with which the checkpoint's template ends a reply."""
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]
    ids = tokenizer.encode_chat(chat, add_generation_prompt=False)
    return next((token for token in reversed(ids) if token in tokenizer.eos_ids), max(tokenizer.eos_ids))


def quote(engine: Engine, statement: str, part: Passage) -> Passage | None:
    """The sentence of `part` that says `statement`; None where the model finds none."""
    spans, lines = _sentences(part)
    if not lines:
        return None
    prompt = window_prompt(engine.tokenizer, prompts.quote, part, without_marks(statement))
    end = end_token(engine.tokenizer)
    texts = [[*engine.tokenizer.encode(line), end] for line in (*lines, prompts.NO_QUOTE)]
    copyist = Copyist(engine, *engine.read(prompt, 1 + max(map(len, texts)), label(part)))
    chosen = copyist.copy(texts)
    return part.span(*spans[chosen]) if chosen < len(spans) else None


def _sentences(passage: Passage) -> tuple[list[tuple[int, int]], list[str]]:
    """Where the sentences of a passage stand, and each as one line of a reply."""
    spans, shown = sentences(passage.text), fence(passage.text)
    return spans, [" ".join(shown[start:end].split()) for start, end in spans]


def window_prompt(tokenizer: Tokenizer, message: Message, window: Passage, question: str) -> Prompt:
    """A prompt about a window; its shared part is told apart only where it is long enough to keep."""
    prompt = shared_prompt(tokenizer, message, fence(window.text), fence(question))
    return prompt if prompt.shared >= LEAST_STORED else Prompt(prompt.ids)


def label(passage: Passage) -> str:
    """What a passage is called in lists of stored prefixes."""
    return f"file {passage.file}, characters {passage.start}-{passage.end}"
