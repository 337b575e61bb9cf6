"""Haystacks: endless neutral prose, and documents of it that fill an exact number of tokens.

`haystack(language, rng)` yields sentences without end, in English ("en", the chronicle's)
or Chinese ("zh"). `fit` makes of any endless sentences a document that, with its question
and the chat template around it, is a prompt of at most `length` tokens and little less,
with the stated sentences at their depths. `fit_count` does the same for texts that are not
sentences: word lists whose composition depends on how many words there are.

Counting is what takes time at a million tokens. No token reaches across a line break, so
`fit` counts whole paragraphs once, adds, and counts the finished prompt to correct itself:
once for a long prompt, a few times for a short one, where a token more or less shows.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, cycle, islice
from random import Random

from app.ask.prompts import whole_document
from app.eval import chinese, chronicle
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

#: What stands between two sentences of a paragraph, by language.
GLUE = {"en": " ", "zh": ""}

#: Sentences in a paragraph of prose, over and over.
PROSE = (6, 4, 8, 5, 9, 7)

#: A prompt within this part of its length is not improved further.
_CLOSE = 0.005
_MARGIN = 8  # tokens left free at first, so that a long prompt need not be written twice
_ROUNDS = 6
_SPARE = 64  # sentences tried for the last gap


@dataclass(frozen=True)
class Stated:
    """A sentence to hide, and how far into the document, in percent of its tokens."""

    sentence: str
    depth: float


def haystack(language: str, rng: Random) -> Iterator[str]:
    """Neutral sentences without end, in "en" or "zh"."""
    sentence = {"en": chronicle.filler_sentence, "zh": chinese.filler_sentence}[language]
    while True:
        yield sentence(rng)


def prompt_length(tokenizer: Tokenizer, document: str, question: str) -> int:
    """Tokens of the whole prompt, up to where the answer begins."""
    return len(tokenizer.encode_chat([{"role": "user", "content": whole_document(document, question)}]))


def fit(
    tokenizer: Tokenizer,
    length: int,
    question: str,
    filler: Iterator[str],
    stated: Sequence[Stated] = (),
    *,
    glue: str = " ",
    paragraph: Sequence[int] = PROSE,
) -> str:
    """A document whose prompt has at most `length` tokens and falls short by little.

    What is missing is what the best of a few dozen sentences of `filler` (endless) leave, alone
    or in pairs, or half a percent where that is more. A stated sentence stands at the last
    sentence boundary at or before its depth, depth 0 before and 100 after everything else;
    those that share a boundary keep their order. `glue` joins sentences, a line break joins
    paragraphs, whose numbers of sentences go round `paragraph`.

    Raises `PromptError` where the stated sentences and the question alone are too long.
    """
    room = spare = length - prompt_length(tokenizer, glue.join(s.sentence for s in stated), question)
    if spare < 0:
        raise _too_short(length, length - spare)
    pile = _Pile(tokenizer, filler, glue, paragraph)
    room -= min(_MARGIN, int(_CLOSE * length))
    best, least = None, length
    for _ in range(_ROUNDS):
        document = _write(*pile.take(room), stated, tokenizer, glue)
        left = length - prompt_length(tokenizer, document, question)
        if 0 <= left < least:
            best, least = document, left
        if 0 <= left <= _CLOSE * length:
            break
        room += left
    if best is None:
        raise _too_short(length, length - spare)
    return best


def fit_count(
    tokenizer: Tokenizer, length: int, question: str, write: Callable[[int], str], least: int
) -> str:
    """The document `write(count)` of a count that makes a prompt of at most `length` tokens and little less.

    What is missing is less than one more of the count, or half a percent where that is more.
    `write` is a function of the count alone, and longer for more. The texts grow almost
    linearly with their count, so the search goes along secants and writes only a few.
    Raises `PromptError` where `write(least)` is too long.
    """
    count, best = least, write(least)
    used = prompt_length(tokenizer, best, question)
    if used > length:
        raise _too_short(length, used)
    slope = used / count  # too steep, because the question is counted in: the first step falls short
    for _ in range(2 * _ROUNDS):
        more = int((length - used) / slope)
        if more < 1 or length - used <= _CLOSE * length:
            break
        document = write(count + more)
        tokens = prompt_length(tokenizer, document, question)
        slope = max((tokens - used) / more, 0.5)
        if tokens <= length:  # beyond it, the steeper secant leads back
            count, best, used = count + more, document, tokens
    return best


def _too_short(length: int, needed: int) -> PromptError:
    return PromptError(
        f"a prompt of {length} tokens is too short for this task, which needs {needed} before any filler;"
        " give a longer length"
    )


class _Pile:
    """Paragraphs of filler with their sizes in tokens, written as far as they are asked for."""

    def __init__(self, tokenizer: Tokenizer, filler: Iterator[str], glue: str, sizes: Sequence[int]):
        self._tokenizer, self._filler, self._glue = tokenizer, filler, glue
        self._sizes = cycle(sizes)
        self._paragraphs: list[list[str]] = []
        self._ends = [0]  # tokens up to the end of each paragraph
        self._spare: list[tuple[int, str]] = []  # with their sizes

    def take(self, room: int) -> tuple[list[list[str]], list[int]]:
        """Paragraphs of about `room` tokens, the last cut to fill it, and where each ends, from 0 on."""
        while self._ends[-1] <= room:
            sentences = list(islice(self._filler, next(self._sizes)))
            self._paragraphs.append(sentences)
            self._ends.append(self._ends[-1] + self._size_of(sentences))
        self._spare = self._spare or [(self._size(s), s) for s in islice(self._filler, _SPARE)]
        longest = max(size for size, _ in self._spare)
        whole = max(0, bisect_right(self._ends, room - longest) - 1)
        last: list[str] = []
        left = room - self._ends[whole]
        for sentence in self._paragraphs[whole] if left > longest else ():
            if (rest := left - self._size(sentence)) < longest:
                break
            last.append(sentence)
            left = rest
        last += self._closest(left)
        ends = self._ends[: whole + 1]
        return [*self._paragraphs[:whole], last], [*ends, ends[-1] + self._size_of(last)]

    def _closest(self, room: int) -> Sequence[str]:
        """One or two sentences that fill the last gap best."""
        singles = ((size, (sentence,)) for size, sentence in self._spare)
        pairs = ((one + two, (s, t)) for (one, s), (two, t) in combinations(self._spare, 2))
        fitting = (choice for choice in chain(singles, pairs) if choice[0] <= room)
        return max(fitting, key=lambda choice: choice[0], default=(0, ()))[1]

    def _size(self, sentence: str) -> int:
        return len(self._tokenizer.encode(self._glue + sentence))

    def _size_of(self, paragraph: Sequence[str]) -> int:
        return len(self._tokenizer.encode(self._glue.join(paragraph) + "\n"))


def _write(
    paragraphs: Sequence[Sequence[str]],
    ends: Sequence[int],
    stated: Sequence[Stated],
    tokenizer: Tokenizer,
    glue: str,
) -> str:
    """The document. `ends` are the tokens up to the end of each paragraph, from 0 on."""
    hidden: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for fact in stated:
        at = int(ends[-1] * fact.depth / 100)
        index = min(bisect_right(ends, at), len(paragraphs)) - 1
        before = _boundary(tokenizer, paragraphs[index], at - ends[index], glue)
        hidden[index].append((before, fact.sentence))
    return "\n".join(
        glue.join(_with(paragraph, hidden[index]) if index in hidden else paragraph)
        for index, paragraph in enumerate(paragraphs)
        if paragraph or index in hidden
    )


def _boundary(tokenizer: Tokenizer, sentences: Sequence[str], tokens: int, glue: str) -> int:
    """How many of `sentences` end within their first `tokens` tokens."""
    count = 0
    while count < len(sentences) and len(tokenizer.encode(glue.join(sentences[: count + 1]))) <= tokens:
        count += 1
    return count


def _with(sentences: Sequence[str], hidden: Sequence[tuple[int, str]]) -> Iterator[str]:
    """`sentences` with each hidden one after as many of them as it says."""
    for index in range(len(sentences) + 1):
        yield from (sentence for before, sentence in hidden if before == index)
        yield from sentences[index : index + 1]
