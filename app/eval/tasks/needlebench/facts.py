"""Facts about invented people, in English and Chinese, that no other fact or question gives away."""

from dataclasses import dataclass
from random import Random

from app.eval import chinese, chronicle

LANGUAGES = ("en", "zh")

#: Asks for a moment of thought before the answer, as the original does in other words.
GUIDE = {
    "en": "First think of the part of the document that this is about. ",
    "zh": "请先想一想，文档中哪一部分与这个问题有关。",
}

_GUESSABLE = {"trade"}  # twenty values: one guess in twenty is right


@dataclass(frozen=True)
class Fact:
    """A sentence, the question it answers, and the word that a right answer contains."""

    sentence: str
    question: str
    keyword: str


def invent(language: str, rng: Random, count: int) -> list[Fact]:
    """`count` facts whose keywords stand in their own sentence only, and in no question."""
    make = {"en": _english, "zh": _chinese}[language]
    facts: list[Fact] = []
    while len(facts) < count:
        fact = make(rng)
        gives_away = fact.keyword in fact.question
        if not gives_away and not any(_disturb(fact, other) for other in facts):
            facts.append(fact)
    return facts


def _disturb(one: Fact, other: Fact) -> bool:
    """Whether the texts of one fact name the keyword of the other, or both ask the same."""
    return (
        one.question == other.question
        or one.keyword in other.sentence + other.question
        or other.keyword in one.sentence + one.question
    )


def _english(rng: Random) -> Fact:
    relation = rng.choice([r for r in chronicle.RELATIONS if r.label not in _GUESSABLE])
    fact = chronicle.Fact(relation, chronicle.invent_name(rng), relation.value(rng))
    return Fact(fact.answer, fact.question(rng), fact.value)


def _chinese(rng: Random) -> Fact:
    name = chinese.invent_name(rng)
    code = "".join(rng.choice("0123456789") for _ in range(5))
    year, town = str(rng.randint(1500, 1999)), chinese.invent_word(rng, 3)
    return rng.choice(
        (
            Fact(f"{name}的密码是{code}。", f"{name}的密码是什么？", code),
            Fact(f"{name}出生于{year}年。", f"{name}出生于哪一年？", year),
            Fact(f"{name}的故乡是{town}。", f"{name}的故乡是哪里？", town),
        )
    )
