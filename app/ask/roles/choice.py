"""Replies that are chosen among few by their logits, so that no reply needs to be understood."""

import math
from collections.abc import Mapping, Sequence
from typing import cast

import mlx.core as mx

from qwen2_mlx.tokenizer import Tokenizer


def first_tokens(tokenizer: Tokenizer, replies: Sequence[str]) -> dict[str, list[int]]:
    """The tokens with which each of `replies` can begin, as it is, capitalised, and after a space.

    A token that begins several of them says nothing and belongs to none. Raises `ValueError`
    where that leaves a reply without any.
    """
    variants = {
        reply: {
            tokenizer.encode(space + form)[0]
            for form in (reply, reply.capitalize(), reply.upper(), reply.lower())
            for space in ("", " ")
        }
        for reply in replies
    }
    tokens = {
        reply: sorted(own.difference(*(other for name, other in variants.items() if name != reply)))
        for reply, own in variants.items()
    }
    for reply, own in tokens.items():
        if not own:
            raise ValueError(f"the tokenizer begins {reply!r} like another of {', '.join(replies)}")
    return tokens


def scores(logits: mx.array, tokens: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """For each reply the logarithm of the sum of its tokens' exponentials; `logits` is (vocab,)."""
    logits = logits.astype(mx.float32)
    wanted = {reply: mx.logsumexp(logits[mx.array(list(ids))]) for reply, ids in tokens.items()}
    mx.eval(wanted)
    return {reply: cast(float, score.item()) for reply, score in wanted.items()}


def choose(logits: mx.array, tokens: Mapping[str, Sequence[int]]) -> str:
    """The reply with the highest score, the first of equals."""
    found = scores(logits, tokens)
    return max(found, key=lambda reply: found[reply] if not math.isnan(found[reply]) else -math.inf)
