"""Where in a document that fits a model a statement is most likely said, by the words they share."""

from collections import Counter
from collections.abc import Callable
from math import log

from app.ask.normal import words
from app.ask.passage import Passage
from app.ask.sentences import sentences


def likely_passages(
    statement: str, document: Passage, count: int, tokens: int, measure: Callable[[str], int]
) -> list[Passage]:
    """At most `count` passages of about `tokens` tokens, which `measure` counts, the likeliest first.

    Each is a sentence that shares rare words with `statement`, and as many around it as fit.
    """
    spans = sentences(document.text)
    held = [set(words(document.text[start:end])) for start, end in spans]
    frequency = Counter(word for own in held for word in own)
    wanted = set(words(statement))
    scores = [
        sum(log(1 + len(spans) / frequency[word]) for word in wanted & own) / (1 + log(1 + len(own)))
        for own in held
    ]
    best = sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])
    found: list[tuple[int, int]] = []
    for at in best:
        if len(found) == count:
            break
        if not any(first <= at <= last for first, last in found):
            found.append(_around(document.text, spans, at, tokens, measure))
    return [document.span(spans[first][0], spans[last][1]) for first, last in found]


def _around(
    text: str, spans: list[tuple[int, int]], at: int, tokens: int, measure: Callable[[str], int]
) -> tuple[int, int]:
    """The first and last sentence of a passage around sentence `at`."""
    first = last = at
    left = tokens - measure(text[slice(*spans[at])])
    for step in range(1, len(spans)):
        grown = [index for index in (at + step, at - step) if 0 <= index < len(spans)]
        for index in grown:
            left -= measure(text[slice(*spans[index])])
            if left < 0:
                return first, last
            first, last = min(first, index), max(last, index)
    return first, last
