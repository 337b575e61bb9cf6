"""Passkey: a few sentences repeated over and over, and a number hidden among them.

The easiest of the long-context tests (Mohtashami and Jaggi, arXiv 2305.16300): the number
stands out from its surroundings. A model that fails it cannot see that far at all; one that
passes it has shown nothing more. The number is a person's secret code, which is a phrasing
that the bundled models know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from random import Random

from app.eval.chronicle import RELATIONS, Fact, filler_sentence, invent_name
from app.eval.haystack import Stated, fit
from app.eval.sample import Cell, Sample
from app.eval.scoring import exact_number
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 48

_DRAWN = 40
_CODE = next(relation for relation in RELATIONS if relation.label == "secret code")


@dataclass(frozen=True)
class Passkey:
    """`repeats` prompts for each of `lengths` x `depths`."""

    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int
    name: str = "passkey"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, depth, count in product(self.lengths, self.depths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{depth:g}/{count}", self.name, length, depth)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """Five sentences in turn, and one five-digit number at the depth of the cell."""
        rng = Random(f"{self.seed}/{cell.id}")
        fact = Fact(_CODE, invent_name(rng), _CODE.value(rng))
        question = f"What is the {fact.relation.label} of {fact.name}?"
        stated = [Stated(fact.answer, cell.depth or 0.0)]
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, question, cycle(_noise(rng)), stated),
            question=question,
            expected=(fact.value,),
            max_tokens=ANSWER_TOKENS,
            score=exact_number(fact.value),
        )


def _noise(rng: Random) -> list[str]:
    """Five sentences, one of them short, so that they fill any length closely."""
    drawn = [filler_sentence(rng) for _ in range(_DRAWN)]
    return [min(drawn, key=len), *drawn[:4]]
