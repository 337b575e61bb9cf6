"""Facts that only together answer a question.

MultiReasoning(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True, facts=(2, 3, 4, 5))
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import GLUE, Stated, fit, haystack
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.needlebench.chains import invent_chain
from app.eval.tasks.needlebench.facts import GUIDE, LANGUAGES
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 128

#: Percent of the document between one fact and the next.
GAP = 10.0


@dataclass(frozen=True)
class MultiReasoning:
    """NeedleBench's multi-needle reasoning: `repeats` prompts a language, length, depth and number of facts.

    The first fact stands at the depth of the cell, each further one 10 % deeper, none beyond
    the end. The score is the share of the words of the final answer that the reply contains.
    Ours: see the package; the facts are chains of our own (`chains`).
    """

    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int
    languages: Sequence[str] = LANGUAGES
    guide: bool = True
    facts: Sequence[int] = (2, 3, 4, 5)
    name: str = "needlebench/multi-reasoning"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        grid = product(self.lengths, self.languages, self.facts, self.depths, range(self.repeats))
        for length, language, facts, depth, count in grid:
            place = f"{language}/{facts}/{length}/{depth:g}/{count}"
            yield Cell(f"{self.name}/{place}", self.name, length, depth)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Prose with the facts of one chain in their order."""
        rng = Random(f"{self.seed}/{cell.id}")
        language, facts = cell.id.removeprefix(f"{self.name}/").split("/")[:2]
        chain = invent_chain(language, rng, int(facts))
        question = (GUIDE[language] if self.guide else "") + chain.question
        stated = [
            Stated(sentence, depth)
            for sentence, depth in zip(chain.facts, spaced(cell.depth or 0.0, len(chain.facts)), strict=True)
        ]
        words = tuple(chain.answer.split())
        prose = haystack(language, rng)
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, question, prose, stated, glue=GLUE[language]),
            question=question,
            expected=words,
            max_tokens=ANSWER_TOKENS,
            score=phrases_found(words),
        )


def spaced(first: float, count: int) -> list[float]:
    """The depths of `count` facts, in percent."""
    return [min(100.0, first + GAP * index) for index in range(count)]
