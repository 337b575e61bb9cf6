"""A long list in which ten words come up more often than the rest.

CommonWords(lengths, repeats, seed)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import fit_count
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.ruler.words import coined, different
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 160

COMMON = 10

#: How often a common and any other word stands in the list; where the list is short, RULER takes less.
OFTEN, SELDOM = 30, 3
OFTEN_SHORT, SELDOM_SHORT = 6, 1
SHORT = 4096

_QUESTION = f"Which {COMMON} words come up most often in the list? Name them."


@dataclass(frozen=True)
class CommonWords:
    """RULER's common words extraction: 10 words stand 30 times in a list, all others 3 times.

    Longer prompts have more of the others. Below 4096 tokens it is 6 times and once. The score is
    the share of the ten in the reply. Ours: see the package; words are coined, not English.
    """

    lengths: Sequence[int]
    repeats: int
    seed: int
    name: str = "ruler/cwe"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, count in product(self.lengths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """A numbered list in random order."""
        seed = f"{self.seed}/{cell.id}"
        expected = tuple(_words(seed, 0)[:COMMON])
        times = (OFTEN, SELDOM) if cell.length >= SHORT else (OFTEN_SHORT, SELDOM_SHORT)
        document = fit_count(
            tokenizer, cell.length, _QUESTION, lambda others: word_list(seed, others, *times), least=COMMON
        )
        return Sample(
            cell=cell,
            document=document,
            question=_QUESTION,
            expected=expected,
            max_tokens=ANSWER_TOKENS,
            score=phrases_found(expected),
        )


def word_list(seed: str, others: int, often: int, seldom: int) -> str:
    """The list with `others` words beside the ten; the same words come first for any number."""
    words = _words(seed, others)
    entries = words[:COMMON] * often + words[COMMON:] * seldom
    Random(f"{seed}/order").shuffle(entries)
    return "\n".join(f"{number}. {word}" for number, word in enumerate(entries, 1))


def _words(seed: str, others: int) -> list[str]:
    return different(coined, Random(f"{seed}/words"), COMMON + others)
