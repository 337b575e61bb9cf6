"""A seeded grammar that writes chronicles: neutral prose with facts hidden in it.

Long-document tests need text whose every fact is known, that nobody has to
download, and that no model has met before. A chronicle is filler prose about a
small town in which sentences like "The home town of Morvan Telun is Ostavi."
stand at chosen depths. Names are invented, so an answer can only come from the
text. The same grammar feeds the training of the bundled models and their
evaluation; the two draw from disjoint seeds (`TRAINING_SEEDS`).

Everything is a function of the `random.Random` passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

#: Training draws its seeds below this bound; evaluation at or above it.
TRAINING_SEEDS = 2**40

_ONSETS = "b d f g h k l m n p r s t v z br dr gr kl kr pl sh st tr".split()
_RIMES = "a e i o u an ar el en er il in ol on or un".split()

_TRADES = (
    "baker miller smith weaver carpenter teacher sailor painter farmer tailor potter "
    "doctor singer hunter fisher mason printer barber cook clerk"
).split()

_PLACES = (
    "harbour market bridge tower library station garden orchard school mill river square "
    "church valley forest lighthouse inn theatre workshop road"
).split()
_ADJECTIVES = (
    "old quiet narrow green bright cold empty busy long small wide grey famous wooden "
    "stone early late heavy warm distant"
).split()
_THINGS = (
    "boat cart lamp letter clock horse basket window door map book bell rope wheel chair "
    "coat box flag drum mirror"
).split()
_PEOPLE = (
    "the mayor; a traveller; the captain; an old woman; the children; a merchant; the guard; "
    "two brothers; the postman; a student; the neighbours; a musician"
).split("; ")
_PAST_VERBS = (
    "repaired painted carried sold bought found lost cleaned moved borrowed guarded forgot"
).split()
_TIMES = (
    "In the morning; At noon; In the evening; That winter; In early spring; After the storm; "
    "Before the feast; On the third day; Late at night; All summer; Every week; Once more"
).split("; ")


@dataclass(frozen=True)
class Relation:
    """What a fact is about, as it is named in documents, questions and answers."""

    label: str

    def value(self, rng: Random) -> str:
        """A value that this relation can take."""
        if self.label == "secret code":
            return "".join(rng.choice("0123456789") for _ in range(5))
        if self.label == "birth year":
            return str(rng.randint(1500, 1999))
        if self.label == "home town":
            return _invented_word(rng, rng.choice((2, 3)))
        return rng.choice(_TRADES)


RELATIONS = tuple(Relation(label) for label in ("secret code", "birth year", "home town", "trade"))


@dataclass(frozen=True)
class Fact:
    """One relation of one invented person."""

    relation: Relation
    name: str
    value: str

    @property
    def answer(self) -> str:
        """The sentence that a right answer is, word for word."""
        return f"The {self.relation.label} of {self.name} is {self.value}."

    @property
    def missing(self) -> str:
        """The sentence that a right answer is where no document states the fact.

        It differs from the other only where the value would stand: a small model has then
        already said whose and which value it looks for.
        """
        return f"The {self.relation.label} of {self.name} is not in the document."

    def sentence(self, rng: Random) -> str:
        """The fact as a document states it."""
        label, name, value = self.relation.label, self.name, self.value
        return rng.choice(
            (
                self.answer,
                self.answer,
                f"As the records show, the {label} of {name} is {value}.",
                f"People say that the {label} of {name} is {value}.",
            )
        )

    def question(self, rng: Random) -> str:
        """The question that this fact answers."""
        label, name = self.relation.label, self.name
        return rng.choice(
            (
                f"What is the {label} of {name}?",
                f"What is the {label} of {name}?",
                f"Tell me the {label} of {name}.",
                f"Which {label} does the text give for {name}?",
                f"Do you know the {label} of {name}?",
            )
        )


def _invented_word(rng: Random, syllables: int) -> str:
    return "".join(rng.choice(_ONSETS) + rng.choice(_RIMES) for _ in range(syllables)).capitalize()


def invent_name(rng: Random) -> str:
    """A two-word name that no text outside this grammar contains."""
    return f"{_invented_word(rng, 2)} {_invented_word(rng, 2)}"


def invent_facts(rng: Random, count: int) -> list[Fact]:
    """`count` facts that do not contradict each other; about one person in four has two."""
    facts: list[Fact] = []
    taken: set[tuple[str, str]] = set()
    while len(facts) < count:
        reuse = facts and rng.random() < 0.25
        name = rng.choice(facts).name if reuse else invent_name(rng)
        relation = rng.choice(RELATIONS)
        if (name, relation.label) not in taken:
            taken.add((name, relation.label))
            facts.append(Fact(relation, name, relation.value(rng)))
    return facts


def absent_fact(rng: Random, facts: Sequence[Fact]) -> Fact:
    """A fact that `facts` does not hold, to ask about.

    Either a stranger, a stranger who shares one of two names with somebody in
    the text, or somebody in the text about whom the text says something else.
    """
    kind = rng.random()
    relation = rng.choice(RELATIONS)
    name = invent_name(rng)
    if facts and kind < 0.3:
        known = rng.choice(facts)
        missing = [
            other
            for other in RELATIONS
            if not any(f.name == known.name and f.relation == other for f in facts)
        ]
        if missing:
            relation, name = rng.choice(missing), known.name
    elif facts and kind < 0.5:
        known_first, known_last = rng.choice(facts).name.split()
        first, last = name.split()
        name = f"{known_first} {last}" if rng.random() < 0.5 else f"{first} {known_last}"
        if any(f.name == name for f in facts):
            return absent_fact(rng, facts)
    return Fact(relation, name, relation.value(rng))


def filler_sentence(rng: Random) -> str:
    """A sentence of neutral prose."""
    place, other = rng.sample(_PLACES, 2)
    adjective, second = rng.sample(_ADJECTIVES, 2)
    thing, person = rng.choice(_THINGS), rng.choice(_PEOPLE)
    time, verb = rng.choice(_TIMES), rng.choice(_PAST_VERBS)
    return rng.choice(
        (
            f"{time} the {place} was {adjective} and {second}.",
            f"{time} {person} {verb} a {thing} near the {place}.",
            f"The {adjective} {place} stood behind the {other}.",
            f"{time} {person} walked from the {place} to the {other}.",
            f"Nobody remembered who {verb} the {adjective} {thing}.",
            f"{_article(adjective).capitalize()} {adjective} {thing} was left at the {second} {place}.",
            f"{time} there was {_article(second)} {second} {thing} in the {place}, and {person} {verb} it.",
        )
    )


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def weave(rng: Random, stated: Sequence[str], filler: Sequence[str]) -> str:
    """The document: stated facts at uniformly random depths among the filler, in paragraphs."""
    sentences = list(filler)
    for sentence in stated:
        sentences.insert(rng.randint(0, len(sentences)), sentence)
    paragraphs, rest = [], sentences
    while rest:
        size = rng.randint(4, 9)
        paragraphs.append(" ".join(rest[:size]))
        rest = rest[size:]
    return "\n".join(paragraphs)
