"""Coined words, as unequally frequent as the words of a language.

FrequentWords(lengths, repeats, seed)
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counting
from itertools import product, takewhile
from random import Random

from app.eval.haystack import fit_count
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.ruler.words import coined, different
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 64

TOP = 3
NOISE = "..."

#: The zeta distribution's exponent, and the Riemann zeta function of it.
ALPHA = 2.0
_ZETA = math.pi**2 / 6

#: From so many words on, the third word is always more frequent than the next.
LEAST = 53

_QUESTION = (
    f"The text is made of coined words and dots. Leave the dots out of account."
    f" Which {TOP} coined words come up most often? Name them."
)


@dataclass(frozen=True)
class FrequentWords:
    """RULER's frequent words extraction: frequencies fall as rank^-2 (zeta, alpha 2.0).

    The most frequent "word" is `...` and is to be left out; the three after it are asked for. The
    score is the share of them in the reply. Ours: see the package.
    """

    lengths: Sequence[int]
    repeats: int
    seed: int
    name: str = "ruler/fwe"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, count in product(self.lengths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """The words in random order."""
        seed = f"{self.seed}/{cell.id}"
        expected = tuple(_words(seed, TOP))
        document = fit_count(
            tokenizer, cell.length, _QUESTION, lambda total: coded_text(seed, total), least=LEAST
        )
        return Sample(
            cell=cell,
            document=document,
            question=_QUESTION,
            expected=expected,
            max_tokens=ANSWER_TOKENS,
            score=phrases_found(expected),
        )


def frequencies(total: int) -> list[int]:
    """How often the words of rank 1, 2, 3 ... stand in a text of about `total` words, down to once.

    Rank k has the whole part of total / (k^2 zeta(2)).
    """
    shares = (int(total * rank**-ALPHA / _ZETA) for rank in counting(1))
    return list(takewhile(bool, shares))


def coded_text(seed: str, total: int) -> str:
    """The text; the same words have the same ranks for any total."""
    often = frequencies(total)
    words = [NOISE, *_words(seed, len(often) - 1)]
    text = [word for word, times in zip(words, often, strict=True) for _ in range(times)]
    Random(f"{seed}/order").shuffle(text)
    return " ".join(text)


def _words(seed: str, count: int) -> list[str]:
    return different(coined, Random(f"{seed}/words"), count)
