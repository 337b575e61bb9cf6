"""A family tree without filler: the Ancestral Trace Challenge.

Ancestors(repeats, seed, facts=(2, 4, 8, ..., 512), languages=("en", "zh"))
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from app.eval import chinese, chronicle
from app.eval.haystack import prompt_length
from app.eval.sample import Cell, Sample
from app.eval.tasks.needlebench.facts import LANGUAGES
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

#: A cell's length in tokens: this for each fact, and for the rest of the prompt.
TOKENS_A_FACT = 64
TOKENS_BESIDE = 320

KINDS = ("eldest", "ancestor", "descendant", "distance")

_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")

_GENERATIONS = {
    "en": {"father": 1, "mother": 1, "grandfather": 2, "grandmother": 2},
    "zh": {"父亲": 1, "母亲": 1, "祖父": 2, "祖母": 2},
}
_FACTS = {
    "en": (
        "{elder} is the {relation} of {younger}.",
        "The {relation} of {younger} is {elder}.",
        "{younger} grew up with {elder}, the {relation} of {younger}.",
    ),
    "zh": (
        "{elder}是{younger}的{relation}。",
        "{younger}的{relation}是{elder}。",
        "{younger}的{relation}名叫{elder}。",
    ),
}
_NOTE = {
    "en": "A parent is one generation older, a grandparent two; whether a name sounds male or female"
    " does not matter. Think step by step and end with the answer in the form \\boxed{answer}. ",
    "zh": "父母年长一代，祖父母年长两代；名字听起来是男是女无关紧要。"
    "请逐步推理，最后把答案写成\\boxed{答案}的形式。",
}
_QUESTIONS = {
    "en": {
        "eldest": "Who is the eldest ancestor of {youngest}?",
        "ancestor": "Which ancestor of {youngest} is {generations} generations older?",
        "descendant": "Which descendant of {eldest} is {generations} generations younger?",
        "distance": "How many generations are there from {youngest} back to {eldest}? Give the number.",
    },
    "zh": {
        "eldest": "{youngest}最年长的祖先是谁？",
        "ancestor": "{youngest}的哪一位祖先年长{generations}代？",
        "descendant": "{eldest}的哪一位后代年轻{generations}代？",
        "distance": "从{youngest}往上到{eldest}相隔多少代？请用数字回答。",
    },
}


@dataclass(frozen=True)
class Ancestors:
    """NeedleBench's dense variant (ATC): who descends from whom, in one shuffled chain of kinship.

    `repeats` prompts for each language, number of facts and kind of question (`KINDS`). Every
    question needs the whole chain. The reply must give the answer in `\\boxed{}`; it is right
    or wrong. `weighted` and `longest` sum up. Prompts do not fill a length: a cell's length is
    what its facts fit into. Ours: invented names instead of listed ones, our own phrases, and
    no worked examples before the facts.
    """

    repeats: int
    seed: int
    facts: Sequence[int] = tuple(2**k for k in range(1, 10))
    languages: Sequence[str] = LANGUAGES
    name: str = "needlebench/atc"

    def cells(self) -> Iterator[Cell]:
        """Fewest facts first."""
        for facts, language, kind, count in product(self.facts, self.languages, KINDS, range(self.repeats)):
            length = TOKENS_A_FACT * facts + TOKENS_BESIDE
            yield Cell(f"{self.name}/{language}/{facts}/{kind}/{count}", self.name, length, None)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """One fact a line, in random order."""
        rng = Random(f"{self.seed}/{cell.id}")
        language, _, kind, _ = cell.id.removeprefix(f"{self.name}/").split("/")
        facts = facts_of(cell)
        names = _names(language, rng, facts + 1)  # from the eldest to the youngest
        relations = rng.choices(sorted(_GENERATIONS[language]), k=facts)
        lines = [
            rng.choice(_FACTS[language]).format(elder=elder, younger=younger, relation=relation)
            for elder, younger, relation in zip(names, names[1:], relations, strict=False)
        ]
        rng.shuffle(lines)
        generations = sum(_GENERATIONS[language][relation] for relation in relations)
        asked = _QUESTIONS[language][kind].format(
            eldest=names[0], youngest=names[-1], generations=generations
        )
        answer = {"descendant": names[-1], "distance": str(generations)}.get(kind, names[0])
        document, question = "\n".join(lines), _NOTE[language] + asked
        if (tokens := prompt_length(tokenizer, document, question)) > cell.length:
            raise PromptError(
                f"{facts} facts are {tokens} tokens with this tokenizer, more than the {cell.length}"
                " set aside; ask for fewer facts"
            )
        return Sample(
            cell=cell,
            document=document,
            question=question,
            expected=(answer,),
            max_tokens=256 + 32 * facts,
            score=boxed(answer),
        )


def facts_of(cell: Cell) -> int:
    """How many facts the prompt of a cell holds."""
    return int(cell.id.split("/")[-3])


def boxed(answer: str) -> Callable[[str], float]:
    """100 where the last `\\boxed{}` of a reply holds the answer and nothing else, else 0."""

    def score(reply: str) -> float:
        found = _BOXED.findall(reply)
        return 100.0 if found and found[-1].strip().casefold() == answer.casefold() else 0.0

    return score


def weighted(means: Mapping[int, float]) -> float:
    """The mean of the scores by number of facts, each weighted by that number."""
    return sum(score * facts for facts, score in means.items()) / sum(means)


def longest(means: Mapping[int, float], least: float = 50.0) -> int | None:
    """The largest number of facts with a score of at least `least`; None where there is none."""
    return max((facts for facts, score in means.items() if score >= least), default=None)


def _names(language: str, rng: Random, count: int) -> list[str]:
    invent = {"en": chronicle.invent_name, "zh": chinese.invent_name}[language]
    names: dict[str, None] = {}
    while len(names) < count:
        names[invent(rng)] = None
    return list(names)
