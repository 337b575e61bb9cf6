"""A value handed on from variable to variable.

Variables(lengths, repeats, seed)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from random import Random
from string import ascii_uppercase

from app.eval.haystack import Stated, fit
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.ruler import noise
from app.eval.tasks.ruler.words import different
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 96

HOPS = 4


@dataclass(frozen=True)
class Variables:
    """RULER's variable tracking: one chain of four hops in noise; all five names are asked for.

    The assignments stand in their order at random depths. The score is the share of names in
    the reply. Ours: see the package.
    """

    lengths: Sequence[int]
    repeats: int
    seed: int
    name: str = "ruler/vt"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, count in product(self.lengths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Noise with the five assignments of one chain."""
        rng = Random(f"{self.seed}/{cell.id}")
        names = different(_variable, rng, HOPS + 1)
        value = str(rng.randint(10_000, 99_999))
        assigned = [f"VAR {names[0]} = {value}."]
        assigned += [f"VAR {to} = VAR {source}." for source, to in pairwise(names)]
        depths = sorted(rng.uniform(0, 100) for _ in assigned)
        stated = [Stated(sentence, depth) for sentence, depth in zip(assigned, depths, strict=True)]
        question = (
            f"Which variables have the value {value}, given directly or handed on from another variable?"
            f" List the names of all {len(names)}."
        )
        document = fit(tokenizer, cell.length, question, noise.noise(), stated, paragraph=noise.PARAGRAPH)
        return Sample(
            cell=cell,
            document=document,
            question=question,
            expected=tuple(names),
            max_tokens=ANSWER_TOKENS,
            score=phrases_found(names),
        )


def _variable(rng: Random) -> str:
    return "".join(rng.choices(ascii_uppercase, k=5))
