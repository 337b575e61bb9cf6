"""How well text is predicted, by position in it.

A model that loses its way beyond some length predicts every later token badly; where its
losses rise shows where. Texts are plain, without a chat template. One pass over a text gives
the loss of each of its tokens; the logits of a long text would take gigabytes, so it goes
through the model in small pieces and each row of logits is reduced to one number at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from time import perf_counter
from typing import Any

import mlx.core as mx
import numpy as np

from app.eval.chronicle import filler_sentence, invent_facts
from app.eval.engine import Engine
from app.eval.mode import Mode
from app.eval.progress import Progress, prompt_cost
from app.eval.store import Store
from qwen2_mlx.cache.remember import announce
from qwen2_mlx.errors import PromptError
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer

#: Facts that a generated text repeats.
_FACTS = 24

#: Tokens computed at once; their logits take 156 MB for the family's vocabulary.
_ROWS = 256

#: What the store keeps of a text in a mode: the summed losses of each bucket and their number.
FIELDS = frozenset({"sums", "counts", "seconds"})


@dataclass(frozen=True)
class Text:
    """A text of exactly the length that is measured. `id` tells it from all others of the run."""

    id: str
    tokens: Sequence[int]


def chronicles(tokenizer: Tokenizer, length: int, count: int, seed: int) -> Iterator[Text]:
    """`count` generated texts of `length` tokens each.

    Every third sentence states one of a few facts, over and over. Once a fact was told, its value
    can be predicted, but only by looking back for it; prose alone would say little about that.
    """
    for index in range(count):
        text_id = f"chronicle/{length}/{index}"
        rng = Random(f"{seed}/{text_id}")
        facts = invent_facts(rng, _FACTS)
        tokens: list[int] = []
        while len(tokens) < length:
            sentences = [filler_sentence(rng) for _ in range(4)]
            sentences[2:2] = (rng.choice(facts).sentence(rng) for _ in range(2))
            tokens += tokenizer.encode(" ".join(sentences) + "\n")
        yield Text(text_id, tokens[:length])


def windows(tokenizer: Tokenizer, content: str, length: int, count: int) -> Iterator[Text]:
    """Up to `count` consecutive parts of a text, of `length` tokens each.

    Raises `PromptError` where it has not even one.
    """
    tokens = tokenizer.encode(content)
    if len(tokens) < length:
        raise PromptError(
            f"the text has {len(tokens):,} tokens; give a longer one, or --length {len(tokens)}"
        )
    for index in range(min(count, len(tokens) // length)):
        yield Text(f"text/{length}/{index}", tokens[index * length : (index + 1) * length])


def edges(length: int, buckets: int) -> list[int]:
    """Where the buckets of positions begin, and after the last of them the length."""
    return [length * index // buckets for index in range(buckets + 1)]


def measure(
    texts: Sequence[Text],
    buckets: int,
    modes: Sequence[Mode],
    engine: Engine,
    store: Store,
    progress: Progress,
) -> None:
    """Measures what the store does not hold yet."""
    for mode, text in unfinished(texts, buckets, modes, store):
        progress.start(
            f"{mode.name}, text of {len(text.tokens):,} tokens", prompt_cost(engine.config, len(text.tokens))
        )
        started = perf_counter()
        sums, counts = _by_bucket(
            _text_losses(mode, text, engine, progress), edges(len(text.tokens), buckets)
        )
        row = {"sums": sums, "counts": counts, "seconds": perf_counter() - started}
        store.append({"mode": mode.name, "id": row_id(text, buckets), **row})
        progress.finish()


def _text_losses(mode: Mode, text: Text, engine: Engine, progress: Progress) -> np.ndarray:
    """The losses of one text. The model leaves with this function: the next mode needs its memory."""
    model, _ = engine.open(mode)
    whole = prompt_cost(engine.config, len(text.tokens))
    return token_losses(
        model,
        text.tokens,
        model.make_cache(engine.plan(mode, len(text.tokens)).kv),
        lambda done: progress.part(prompt_cost(engine.config, done) / whole),
    )


def unfinished(
    texts: Sequence[Text], buckets: int, modes: Sequence[Mode], store: Store
) -> list[tuple[Mode, Text]]:
    """What is still to do, in its order."""
    return [
        (mode, text) for mode in modes for text in texts if not store.get(mode.name, row_id(text, buckets))
    ]


def row_id(text: Text, buckets: int) -> str:
    """The store's name for a text cut into so many buckets."""
    return f"{text.id}/{buckets}"


def results(
    texts: Sequence[Text], buckets: int, modes: Sequence[Mode], store: Store
) -> tuple[list[int], dict[str, list[float]]]:
    """The edges of the buckets, and by mode the mean loss of each bucket in nats a token."""
    losses = {}
    for mode in modes:
        rows = [row for text in texts if (row := store.get(mode.name, row_id(text, buckets)))]
        sums = np.sum([row["sums"] for row in rows], axis=0)
        losses[mode.name] = (sums / np.sum([row["counts"] for row in rows], axis=0)).tolist()
    return edges(len(texts[0].tokens), buckets), losses


def token_losses(
    model: Model, tokens: Sequence[int], cache: list[Any], on_piece: Callable[[int], None] | None = None
) -> np.ndarray:
    """The negative log-likelihood of every token but the first, in nats, (tokens - 1,) float32.

    `on_piece` hears how many tokens are done.
    """
    inputs, targets = mx.array(list(tokens[:-1])), mx.array(list(tokens[1:]))
    announce(cache, len(tokens))
    losses = []
    for start in range(0, len(tokens) - 1, _ROWS):
        piece = slice(start, start + _ROWS)
        logits = model(inputs[None, piece], cache=cache)[0].astype(mx.float32)
        chosen = mx.take_along_axis(logits, targets[piece, None], axis=-1)[:, 0]
        loss = mx.logsumexp(logits, axis=-1) - chosen
        mx.eval(loss, [layer_cache.state for layer_cache in cache])
        losses.append(np.array(loss))
        mx.clear_cache()
        if on_piece:
            on_piece(start + len(losses[-1]))
    return np.concatenate(losses)


def _by_bucket(losses: np.ndarray, bounds: Sequence[int]) -> tuple[list[float], list[int]]:
    """Sums and numbers of losses by position; the loss of token i stands at i - 1."""
    sums, counts = [], []
    for start, stop in pairwise(bounds):
        part = losses[max(0, start - 1) : stop - 1]
        sums.append(float(part.sum(dtype=np.float64)))
        counts.append(len(part))
    return sums, counts
