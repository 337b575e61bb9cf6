"""Needle in a haystack: one fact hidden in neutral prose, asked for after it.

The test is Kamradt's (github.com/gkamradt/LLMTest_NeedleInAHaystack). His judge is a language
model; here the answer must contain the value, which is invented for every prompt, so that
neither memory nor taste plays a part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import GLUE, Stated, fit, haystack
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.needlebench.facts import invent
from qwen2_mlx.tokenizer import Tokenizer

#: Room for a wordy model's sentence.
ANSWER_TOKENS = 48


@dataclass(frozen=True)
class Needle:
    """`repeats` prompts for each of `lengths` x `depths`, in "en" or "zh"."""

    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int
    language: str = "en"
    name: str = "needle"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, depth, count in product(self.lengths, self.depths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{depth:g}/{count}", self.name, length, depth)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Prose with one fact at the depth of the cell."""
        rng = Random(f"{self.seed}/{cell.id}")
        (fact,) = invent(self.language, rng, 1)
        filler = haystack(self.language, rng)
        stated = [Stated(fact.sentence, cell.depth or 0.0)]
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, fact.question, filler, stated, glue=GLUE[self.language]),
            question=fact.question,
            expected=(fact.keyword,),
            max_tokens=ANSWER_TOKENS,
            score=phrases_found((fact.keyword,)),
        )
