"""Several facts in a haystack, all asked for at once.

MultiRetrieval(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import GLUE, Stated, fit, haystack
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.needlebench.facts import GUIDE, LANGUAGES, invent
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS_A_FACT = 40

_ASK = {
    "en": "Answer each of these questions in a sentence of its own: ",
    "zh": "请依次回答下面的问题，每个问题用一句话回答：",
}


@dataclass(frozen=True)
class MultiRetrieval:
    """NeedleBench's multi-needle retrieval: `repeats` prompts for each language and length.

    Every prompt holds one fact at each of `depths` and asks for all of them; the score is the
    share of keywords in the reply, which is the mean over the depths. Cells have no depth.
    Ours: see the package; the keywords count in any case of letters.
    """

    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int
    languages: Sequence[str] = LANGUAGES
    guide: bool = True
    name: str = "needlebench/multi-retrieval"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, language, count in product(self.lengths, self.languages, range(self.repeats)):
            yield Cell(f"{self.name}/{language}/{length}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Prose with a fact at every depth; the questions come in another order than the facts."""
        rng = Random(f"{self.seed}/{cell.id}")
        language = cell.id.removeprefix(f"{self.name}/").split("/")[0]
        facts = invent(language, rng, len(self.depths))
        stated = [Stated(fact.sentence, depth) for fact, depth in zip(facts, self.depths, strict=True)]
        asked = GLUE[language].join(fact.question for fact in rng.sample(facts, len(facts)))
        question = (GUIDE[language] if self.guide else "") + _ASK[language] + asked
        keywords = tuple(fact.keyword for fact in facts)
        prose = haystack(language, rng)
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, question, prose, stated, glue=GLUE[language]),
            question=question,
            expected=keywords,
            max_tokens=ANSWER_TOKENS_A_FACT * len(facts),
            score=phrases_found(keywords),
        )
