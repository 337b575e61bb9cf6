"""The people of one document, who must not be taken for one another."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from app.eval.chronicle import RELATIONS, Fact, Relation, invent_name
from app.eval.hints import HINTS
from app.eval.people import TEACHER, Chain, PersonFact
from qwen2_mlx.errors import PromptError

TRADE = next(relation for relation in RELATIONS if relation.label == "trade")
_HOME_TOWN = next(relation for relation in RELATIONS if relation.label == "home town")

#: Trades that anybody may have; questions for the people of a trade take theirs from the others.
_COMMON_TRADES = 6


class Cast:
    """Invents people and facts for one document. No two people share a name, nor a part of it by chance."""

    def __init__(self, rng: Random):
        self.rng = rng
        self.facts: list[Fact] = []
        self._words: set[str] = set()
        trades = sorted(HINTS)
        rng.shuffle(trades)
        self._common, self._rare = trades[:_COMMON_TRADES], trades[_COMMON_TRADES:]

    def name(self) -> str:
        """A new name."""
        while True:
            name = invent_name(self.rng)
            words = set(name.split())
            if len(words) == 2 and not words & self._words:
                self._words |= words
                return name

    def namesake(self, name: str) -> str:
        """A new name that shares one of its two words with `name`."""
        first, last = name.split()
        new_first, new_last = self.name().split()
        return self.rng.choice((f"{first} {new_last}", f"{new_first} {last}"))

    def fact(self, name: str | None = None, relation: Relation | None = None) -> Fact:
        """Something about somebody; a trade is one that several people may have."""
        relation = relation or self.rng.choice(RELATIONS)
        return self.note(Fact(relation, name or self.name(), self.value(relation)))

    def value(self, relation: Relation) -> str:
        """A value of a relation, by which nobody in particular is asked for."""
        return self.rng.choice(self._common) if relation == TRADE else relation.value(self.rng)

    def rare_trade(self) -> str:
        """A trade that nobody else in the document has."""
        if not self._rare:
            raise PromptError("a document can ask for so many trades only; give fewer depths")
        return self._rare.pop()

    def town(self) -> str:
        """A home town that nobody else has, unless by chance."""
        return _HOME_TOWN.value(self.rng)

    def people_of(self, relation: Relation, value: str, count: int) -> list[Fact]:
        """`count` people of whom the relation has this value."""
        return [self.note(Fact(relation, self.name(), value)) for _ in range(count)]

    def chain(self, hops: int) -> Chain:
        """`hops` facts, each about the person whom the one before names."""
        names = [self.name() for _ in range(hops)]
        links: Sequence[Fact] = [PersonFact(TEACHER, pupil, teacher) for pupil, teacher in pairwise(names)]
        for link in links:
            self.note(link)
        return Chain((*links, self.fact(names[-1])))

    def note(self, fact: Fact) -> Fact:
        """Keeps a fact among those that the document holds."""
        self.facts.append(fact)
        return fact
