"""People who taught one another: facts that lead to facts.

"What is the trade of the teacher of Morvan Telun?" can only be answered by somebody who first
finds who the teacher is. A chain of such links makes a question as deep as one likes. This is
a relation beside those of `chronicle`, whose draws it leaves as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from app.eval.chronicle import RELATIONS, Fact, Relation, invent_name


@dataclass(frozen=True)
class PersonRelation(Relation):
    """A relation between two people; its value is an invented name."""

    def value(self, rng: Random) -> str:
        return invent_name(rng)


TEACHER = PersonRelation("teacher")


@dataclass(frozen=True)
class PersonFact(Fact):
    """A fact whose value is a person, so that it is asked for with "who"."""

    def question(self, rng: Random) -> str:
        label, name = self.relation.label, self.name
        return rng.choice(
            (
                f"Who is the {label} of {name}?",
                f"Who is the {label} of {name}?",
                f"Tell me the {label} of {name}.",
                f"Which {label} does the text give for {name}?",
                f"Do you know the {label} of {name}?",
            )
        )


def plain_question(relation: Relation, person: str) -> str:
    """The plainest question for `relation` of `person`, who may be described: "the teacher of ..."."""
    return f"{'Who' if relation == TEACHER else 'What'} is the {relation.label} of {person}?"


def any_question(rng: Random, relation: Relation, person: str) -> str:
    """A question for `relation` of `person`, who may be described, in one of several wordings."""
    plain = plain_question(relation, person)
    return rng.choice(
        (
            plain,
            plain,
            f"Tell me the {relation.label} of {person}.",
            f"Do you know the {relation.label} of {person}?",
        )
    )


def described(name: str, links: int) -> str:
    """The person `links` teachers above `name`, as a question names them."""
    return f"the {TEACHER.label} of " * links + name


@dataclass(frozen=True)
class Chain:
    """Facts of which each is about the person whom the one before names; the last is what is asked for."""

    facts: Sequence[Fact]

    @property
    def value(self) -> str:
        """What a right answer ends with."""
        return self.facts[-1].value

    @property
    def person(self) -> str:
        """The one person whom the question names, as it names them."""
        return described(self.facts[0].name, len(self.facts) - 1)

    def question(self, rng: Random) -> str:
        """The question that needs all facts."""
        return any_question(rng, self.facts[-1].relation, self.person)

    @property
    def sub_questions(self) -> list[str]:
        """What has to be asked one after another."""
        return [plain_question(fact.relation, fact.name) for fact in self.facts]

    @property
    def answer_sentences(self) -> list[str]:
        """The facts, stated in the order in which they are needed."""
        return [fact.answer for fact in self.facts]


def chain(rng: Random, hops: int) -> Chain:
    """A chain of `hops` facts about as many different people: teachers, then one fact about the last."""
    names: list[str] = []
    while len(names) < hops:
        name = invent_name(rng)
        if name not in names:
            names.append(name)
    links = [PersonFact(TEACHER, pupil, teacher) for pupil, teacher in pairwise(names)]
    relation = rng.choice(RELATIONS)
    return Chain((*links, Fact(relation, names[-1], relation.value(rng))))
