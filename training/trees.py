"""Rows that hold one beginning and many ways to go on.

A window of a document serves many questions, as it does in the programs: its tokens stand once,
and behind them a branch for every question, each at the positions that it would have alone. A
token sees the beginning and its own branch. Five questions about a window thus cost little more
than one, and what the model computes is what it would compute for five separate chats.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from training.examples import CONTROL_TOKENS, SYSTEM

_DOCUMENT_END = "</document>\n\n"

#: What a token of a reply counts: yes or no and a letter, the first of a sentence and the end, a
#: value, the number of a part, a name; all others count once.
_CHOICE, _START, _VALUE, _NUMBER, _NAME = 16.0, 4.0, 4.0, 10.0, 2.0
_STARTS = re.compile(r"(?:(?<=\. )|(?<=\n)|^)\w")
_VALUES = re.compile(r"(?<= is) [^.\[]+")
_NAMES = re.compile(r"(?<=of) [A-Z]\w+ [A-Z]\w+")
_NUMBERS = re.compile(r"(?<=\[)\d+(?=\])")


@dataclass(frozen=True)
class Ask:
    """A role, the user message that a program sends for it, and the right reply."""

    role: str
    prompt: str
    reply: str


@dataclass(frozen=True)
class Tree:
    """Token ids with the positions they have, the branch each is in (0 for the beginning) and its weight.

    A branch's number is one more than the place of its role in `roles`; only tokens of replies weigh.
    """

    ids: list[int]
    positions: list[int]
    branches: list[int]
    weights: list[float]
    roles: list[str]


def split(prompt: str) -> tuple[str, str]:
    """What all prompts about a document share, and the rest; a prompt without one shares nothing."""
    head, mark, tail = prompt.rpartition(_DOCUMENT_END)
    return head + mark, tail


def beginning(tokenizer: Tokenizer, head: str) -> list[int]:
    """The chat up to where the prompts differ."""
    start, end = tokenizer.encode("".join(CONTROL_TOKENS[1:])).ids
    system = tokenizer.encode(f"system\n{SYSTEM}").ids
    return [start, *system, end, *tokenizer.encode("\n").ids, start, *tokenizer.encode(f"user\n{head}").ids]


def branch(tokenizer: Tokenizer, ask: Ask) -> tuple[list[int], list[float]]:
    """The ids of one branch, and the weight of each."""
    start, end = tokenizer.encode("".join(CONTROL_TOKENS[1:])).ids
    _, tail = split(ask.prompt)
    line = tokenizer.encode("\n").ids
    asked = [*tokenizer.encode(tail).ids, end, *line, start, *tokenizer.encode("assistant\n").ids]
    reply = tokenizer.encode(ask.reply)
    weights = _weights(ask.reply, reply.offsets)
    return [*asked, *reply.ids, end], [0.0] * len(asked) + weights + [_START]


def _weights(reply: str, spans: Sequence[tuple[int, int]]) -> list[float]:
    """What the tokens that stand at `spans` of `reply` count."""
    if len(reply) <= 3:
        return [_CHOICE, *[1.0] * (len(spans) - 1)]
    counts = [1.0] * len(reply)
    for pattern, weight in ((_NAMES, _NAME), (_VALUES, _VALUE), (_STARTS, _START), (_NUMBERS, _NUMBER)):
        for match in pattern.finditer(reply):
            counts[match.start() : match.end()] = [weight] * (match.end() - match.start())
    return [max(counts[first:last], default=1.0) for first, last in spans]


def grow(tokenizer: Tokenizer, asks: Sequence[Ask]) -> Tree:
    """The tree of `asks`, which all have the same beginning."""
    heads = {split(ask.prompt)[0] for ask in asks}
    if len(heads) != 1:
        raise ValueError("the prompts of a tree begin alike")
    ids = beginning(tokenizer, heads.pop())
    shared = len(ids)
    positions, branches, weights = list(range(shared)), [0] * shared, [0.0] * shared
    for number, ask in enumerate(asks, 1):
        more, weight = branch(tokenizer, ask)
        ids = ids + more
        positions += range(shared, shared + len(more))
        branches += [number] * len(more)
        weights += weight
    return Tree(ids, positions, branches, weights, [ask.role for ask in asks])
