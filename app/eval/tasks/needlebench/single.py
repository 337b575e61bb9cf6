"""One fact in a haystack, scored by its keyword, else by likeness.

Single(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import GLUE, Stated, fit, haystack
from app.eval.sample import Cell, Sample
from app.eval.tasks.needlebench.facts import GUIDE, LANGUAGES, invent
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 64

#: What a reply without the keyword can earn at most, in parts of the full score.
_LIKENESS = 0.2


@dataclass(frozen=True)
class Single:
    """NeedleBench's single-needle retrieval: `repeats` prompts for each language, length and depth.

    A reply that contains the keyword scores 100; any other scores a fifth of its likeness to
    the hidden sentence (`single_score`), as in the first version. Ours: see the package.
    """

    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int
    languages: Sequence[str] = LANGUAGES
    guide: bool = True
    name: str = "needlebench/single"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        grid = product(self.lengths, self.languages, self.depths, range(self.repeats))
        for length, language, depth, count in grid:
            yield Cell(f"{self.name}/{language}/{length}/{depth:g}/{count}", self.name, length, depth)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Prose with one fact at the depth of the cell."""
        rng = Random(f"{self.seed}/{cell.id}")
        language = cell.id.removeprefix(f"{self.name}/").split("/")[0]
        (fact,) = invent(language, rng, 1)
        question = (GUIDE[language] if self.guide else "") + fact.question
        stated = [Stated(fact.sentence, cell.depth or 0.0)]
        prose = haystack(language, rng)
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, question, prose, stated, glue=GLUE[language]),
            question=question,
            expected=(fact.keyword,),
            max_tokens=ANSWER_TOKENS,
            score=single_score(fact.keyword, fact.sentence),
        )


def single_score(keyword: str, sentence: str) -> Callable[[str], float]:
    """100 for a reply with the keyword, else 20 x (1 - edit distance / longer length).

    The distance is between reply and hidden sentence, white space left out.
    """
    wanted = "".join(sentence.split())

    def score(reply: str) -> float:
        if keyword in reply:
            return 100.0
        said = "".join(reply.split())
        return 100.0 * _LIKENESS * (1 - edit_distance(said, wanted) / max(len(said), len(wanted)))

    return score


def edit_distance(one: str, other: str) -> int:
    """Characters to insert, delete or replace to make one text of the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, character in enumerate(one, 1):
        previous, row = row, [i]
        for j, counterpart in enumerate(other, 1):
            replaced = previous[j - 1] + (character != counterpart)
            row.append(min(previous[j] + 1, row[-1] + 1, replaced))
    return row[-1]
