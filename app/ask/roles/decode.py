"""Greedy decoding of one reply, in which a rule may forbid tokens."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import mlx.core as mx
import numpy as np

from app.ask.roles.engine import Engine

#: Whether a reply so far, then a token's text and whether it ends the reply, keeps a rule.
Rule = Callable[[str, bool], bool]

#: A reply that ends in the same characters so many times is going round in circles.
_ROUNDS = 3
_SHORTEST_ROUND, _LONGEST_ROUND = 12, 240


def decode(
    engine: Engine, cache: list[Any], logits: mx.array, max_tokens: int, rule: Rule | None = None
) -> Iterator[str]:
    """The text of the most likely reply, token by token, until the model ends it or goes in circles.

    `logits`, (vocab,), are those of the first token, and `cache` holds all before it.
    """
    detokenizer = engine.tokenizer.detokenizer()
    text = ""
    for count in range(1, max_tokens + 1):
        token = _best(engine, logits, text, rule)
        engine.counter.add(generated=1)
        if token in engine.tokenizer.eos_ids:
            break
        piece = detokenizer.add(token)
        text += engine.tokenizer.decode([token])
        yield piece
        if count == max_tokens or goes_round(text):
            break
        logits = engine.follow([token], cache)
    yield detokenizer.finish()


def _best(engine: Engine, logits: mx.array, text: str, rule: Rule | None) -> int:
    """The most likely token that keeps the rule."""
    best = cast(int, mx.argmax(logits).item())
    if rule is None or _keeps(engine, best, text, rule):
        return best
    order = np.array(mx.argsort(-logits.astype(mx.float32)))
    return next((int(token) for token in order if _keeps(engine, int(token), text, rule)), best)


def _keeps(engine: Engine, token: int, text: str, rule: Rule) -> bool:
    ends = token in engine.tokenizer.eos_ids
    return rule(text if ends else text + engine.tokenizer.decode([token]), ends)


def goes_round(text: str) -> bool:
    """Whether `text` ends in three times the same."""
    for size in range(_SHORTEST_ROUND, min(_LONGEST_ROUND, len(text) // _ROUNDS) + 1):
        tail = text[-size:]
        if text.endswith(tail * _ROUNDS):
            return True
    return False
