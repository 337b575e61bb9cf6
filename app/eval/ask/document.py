"""Documents to ask about: pages of neutral prose with sentences at known places.

`write` makes a text of an exact length in tokens, to within a sentence, and says on which page each
sentence stands that was put into it. Tokens are counted paragraph by paragraph, once each, so a
million of them take seconds.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from app.eval.haystack import PROSE, Stated, haystack
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

#: A page is full when it holds so many tokens; for each so many of a document one is kept for a page break.
PAGE_TOKENS = 500
_TOKENS_A_BREAK = 400

_PAGE_BREAK, _LINE_BREAK = "\f", "\n"


@dataclass(frozen=True)
class Spot:
    """Characters `start` to `end` of the text, on page `page`, counted from 1."""

    page: int
    start: int
    end: int


@dataclass(frozen=True)
class Written:
    """A text, its size, and the spots of the stated sentences in their order."""

    text: str
    tokens: int
    pages: int
    spots: tuple[Spot, ...]


def write(tokenizer: Tokenizer, tokens: int, stated: Sequence[Stated], rng: Random) -> Written:
    """At most `tokens` tokens, short of it by less than a sentence and a thousandth.

    A stated sentence stands at the last sentence boundary at or before its depth in the filler; those
    that share a boundary keep their order. No sentence goes across a page. Raises `PromptError` where
    the stated sentences alone are longer than that.
    """
    sizes = [_size(tokenizer, " " + s.sentence) for s in stated]
    room = tokens - sum(sizes)
    if room < 0:
        raise PromptError(
            f"a document of {tokens} tokens is too short for its {len(stated)} facts, which need"
            f" {sum(sizes)}; give a longer length, fewer depths or fewer tasks"
        )
    paragraphs, ends = _filler(tokenizer, room - min(room, tokens // _TOKENS_A_BREAK), rng)
    hidden: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, fact in enumerate(stated):
        at = int(ends[-1] * fact.depth / 100)
        paragraph = min(bisect_right(ends, at), len(paragraphs)) - 1
        before = _boundary(tokenizer, paragraphs[paragraph], at - ends[paragraph])
        hidden[paragraph].append((before, index))
    return _lay_out(paragraphs, ends, stated, sizes, hidden)


def _filler(tokenizer: Tokenizer, room: int, rng: Random) -> tuple[list[list[str]], list[int]]:
    """Paragraphs of at most `room` tokens, and the token at which each begins, then where the last ends."""
    sentences, lengths = haystack("en", rng), cycle(PROSE)
    paragraphs: list[list[str]] = []
    ends = [0]
    while True:
        paragraph = list(islice(sentences, next(lengths)))
        size = _size_of(tokenizer, paragraph)
        while paragraph and ends[-1] + size > room:
            paragraph.pop()
            size = _size_of(tokenizer, paragraph)
            if ends[-1] + size <= room:  # the last one, cut to fit
                return [*paragraphs, paragraph], [*ends, ends[-1] + size]
        if not paragraph:
            return (paragraphs, ends) if paragraphs else ([[]], [0, 0])
        paragraphs.append(paragraph)
        ends.append(ends[-1] + size)


def _boundary(tokenizer: Tokenizer, sentences: Sequence[str], tokens: int) -> int:
    """How many of `sentences` end within their first `tokens` tokens."""
    count = 0
    while count < len(sentences) and _size(tokenizer, " ".join(sentences[: count + 1])) <= tokens:
        count += 1
    return count


def _lay_out(
    paragraphs: Sequence[Sequence[str]],
    ends: Sequence[int],
    stated: Sequence[Stated],
    sizes: Sequence[int],
    hidden: dict[int, list[tuple[int, int]]],
) -> Written:
    pieces: list[str] = []
    spots: dict[int, Spot] = {}
    position, page, on_page = 0, 1, 0
    for number, paragraph in enumerate(paragraphs):
        here = hidden.get(number, [])
        size = ends[number + 1] - ends[number] + sum(sizes[index] for _, index in here)
        if pieces:
            full = on_page + size > PAGE_TOKENS
            pieces.append(_PAGE_BREAK if full else _LINE_BREAK)
            position += len(pieces[-1])
            page, on_page = (page + 1, 0) if full else (page, on_page)
        on_page += size
        sentences: list[str] = []
        for sentence, index in _with(paragraph, stated, here):
            start = position + (1 if sentences else 0)
            if index is not None:
                spots[index] = Spot(page, start, start + len(sentence))
            sentences.append(sentence)
            position = start + len(sentence)
        pieces.append(" ".join(sentences))
    tokens = ends[-1] + sum(sizes) + page - 1
    return Written("".join(pieces), tokens, page, tuple(spots[i] for i in range(len(stated))))


def _with(
    paragraph: Sequence[str], stated: Sequence[Stated], here: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, int | None]]:
    """The sentences of a paragraph, each stated one, with its index, after as many of them as it says."""
    for count in range(len(paragraph) + 1):
        yield from ((stated[index].sentence, index) for before, index in here if before == count)
        yield from ((sentence, None) for sentence in paragraph[count : count + 1])


def _size(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text))


def _size_of(tokenizer: Tokenizer, paragraph: Sequence[str]) -> int:
    return _size(tokenizer, " ".join(paragraph) + _LINE_BREAK) if paragraph else 0
