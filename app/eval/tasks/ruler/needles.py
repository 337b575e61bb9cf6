"""Values kept under keys, hidden in noise, in prose, or among others of their kind.

Needles(NEEDLES[name], lengths, repeats, seed)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval.haystack import PROSE, Stated, fit, haystack
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from app.eval.tasks.ruler import noise, words
from qwen2_mlx.tokenizer import Tokenizer

ANSWER_TOKENS = 128

#: RULER draws a needle's depth from forty, evenly spaced, in whole percents.
DEPTHS = tuple(round(100 * step / 39) for step in range(40))

_KINDS: dict[str, Callable[[Random], str]] = {
    "word": words.pair,
    "number": words.number,
    "identifier": words.uuid,
}


@dataclass(frozen=True)
class Variant:
    """One of the eight tasks: what hides what, and how many."""

    name: str
    haystack: str  # "noise", "prose", or "needles": more of the same, with other keys
    key: str = "word"
    value: str = "number"
    keys: int = 1
    values: int = 1  # of each key
    asked: int = 1  # keys in the question


_VARIANTS = (
    Variant("niah_single_1", "noise"),
    Variant("niah_single_2", "prose"),
    Variant("niah_single_3", "prose", value="identifier"),
    Variant("niah_multikey_1", "prose", keys=4),
    Variant("niah_multikey_2", "needles"),
    Variant("niah_multikey_3", "needles", key="identifier", value="identifier"),
    Variant("niah_multivalue", "prose", values=4),
    Variant("niah_multiquery", "prose", keys=4, asked=4),
)

#: The eight tasks by name.
NEEDLES = {variant.name: variant for variant in _VARIANTS}


@dataclass(frozen=True)
class Needles:
    """RULER's eight needle tasks: `repeats` prompts a length of one variant.

    The question gives one key or all, and asks for every value kept under it; the score is the
    share of those values in the reply. Ours: see the package. The depths are drawn, so cells have
    none; among needles of their kind, a needle's depth is drawn like any other's.
    """

    variant: Variant
    lengths: Sequence[int]
    repeats: int
    seed: int

    @property
    def name(self) -> str:
        """The task as `qwen2-eval` knows it."""
        return f"ruler/{self.variant.name}"

    def cells(self) -> Iterator[Cell]:
        """Shortest prompts first."""
        for length, count in product(self.lengths, range(self.repeats)):
            yield Cell(f"{self.name}/{length}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """The haystack of the variant with its needles at depths drawn from forty."""
        rng = Random(f"{self.seed}/{cell.id}")
        variant = self.variant
        keys = words.different(_KINDS[variant.key], rng, variant.keys)
        values = words.different(_KINDS[variant.value], rng, variant.keys * variant.values)
        kept = {key: values[i :: variant.keys] for i, key in enumerate(keys)}
        needles = [_needle(variant.value, key, value) for key in keys for value in kept[key]]
        rng.shuffle(needles)
        asked = rng.sample(keys, variant.asked)
        question = _question(variant.value, asked, variant.values * variant.asked)
        expected = tuple(value for key in asked for value in kept[key])
        filler, glue, paragraph = self._haystack(rng, {*keys, *values})
        depths = rng.sample(DEPTHS, len(needles))
        stated = [Stated(needle, depth) for needle, depth in zip(needles, depths, strict=True)]
        return Sample(
            cell=cell,
            document=fit(tokenizer, cell.length, question, filler, stated, glue=glue, paragraph=paragraph),
            question=question,
            expected=expected,
            max_tokens=ANSWER_TOKENS,
            score=phrases_found(expected),
        )

    def _haystack(self, rng: Random, taken: set[str]) -> tuple[Iterator[str], str, Sequence[int]]:
        """Sentences, what joins them, and how many make a paragraph."""
        if self.variant.haystack == "noise":
            return noise.noise(), " ", noise.PARAGRAPH
        if self.variant.haystack == "prose":
            return haystack("en", rng), " ", PROSE
        return self._distractors(rng, taken), "\n", PROSE  # a line for each, so that none stands out

    def _distractors(self, rng: Random, taken: set[str]) -> Iterator[str]:
        """Needles without end that use nothing of `taken`."""
        while True:
            key, value = _KINDS[self.variant.key](rng), _KINDS[self.variant.value](rng)
            if key not in taken and value not in taken:
                yield _needle(self.variant.value, key, value)


def _needle(kind: str, key: str, value: str) -> str:
    return f"One of the {kind}s kept under {key} is {value}."


def _question(kind: str, keys: Sequence[str], values: int) -> str:
    if values == 1:
        return f"Which {kind} is kept under {keys[0]}?"
    named = keys[0] if len(keys) == 1 else f"{', '.join(keys[:-1])} and {keys[-1]}"
    return f"Which {kind}s are kept under {named}? List all of them."
