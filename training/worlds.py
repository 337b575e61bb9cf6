"""Facts that stand in one document, questions about them, and the facts that answer each.

The questions are chosen to be hard: about people who share a name with somebody in the text,
about relations that the text gives for somebody else, about teachers of whom the text only says
whom they teach, about chains that break.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from app.ask.prompts import NOT_FOUND
from app.eval.chronicle import RELATIONS, Fact, Relation, invent_name
from app.eval.hints import HINTS, paraphrase_question
from app.eval.people import TEACHER, PersonFact, any_question, chain, described
from app.eval.questions import count_question, list_question, overview_question

_ALL = (*RELATIONS, TEACHER)
_TRADE = RELATIONS[3]
_MOST_FOR_OVERVIEW = 4  # facts
_HOPS = (2, 2, 2, 2, 3, 3, 3, 4, 5)


@dataclass(frozen=True)
class Asked:
    """A question, the places in the document's list of facts that answer it, and what is said after them.

    `rest` is empty where the facts are the whole answer.
    """

    text: str
    found: Sequence[int]
    rest: str = ""


def fact_about(rng: Random, name: str, relation: Relation | None = None) -> Fact:
    """Something about `name`."""
    relation = relation or rng.choice(_ALL)
    kind = PersonFact if relation == TEACHER else Fact
    return kind(relation, name, relation.value(rng))


def similar_name(rng: Random, name: str) -> str:
    """Another person's name that shares its first or its last word with `name`."""
    (first, last), (new_first, new_last) = name.split(), invent_name(rng).split()
    return f"{first} {new_last}" if rng.random() < 0.5 else f"{new_first} {last}"


def invent_world(rng: Random, count: int) -> list[Fact]:
    """`count` facts: chains, whole or broken, people of one trade or town, contradictions, loose ones."""
    facts: list[Fact] = []
    if count > 1 and rng.random() < 0.4:
        links = list(chain(rng, rng.choice(_HOPS)).facts)
        if rng.random() < 0.3:
            links.pop(rng.randrange(len(links)))
        facts += links
    if count > 1 and rng.random() < 0.35:
        relation = rng.choice((*RELATIONS, _TRADE, TEACHER))
        value = relation.value(rng)
        kind = PersonFact if relation == TEACHER else Fact
        facts += [kind(relation, invent_name(rng), value) for _ in range(rng.choice((2, 2, 3, 4)))]
    if (facts and rng.random() < 0.15) or (count > 1 and rng.random() < 0.08):
        facts.append(_contradiction(rng, facts))
    while len(facts) < count:
        facts.append(_loose(rng, facts))
    return rng.sample(facts, count)


def _contradiction(rng: Random, facts: list[Fact]) -> Fact:
    """The same person and relation as one of `facts` (it gets one if it is empty), rarely the same value."""
    if not facts:
        facts.append(fact_about(rng, invent_name(rng)))
    fact = rng.choice(facts)
    return fact if rng.random() < 0.25 else fact_about(rng, fact.name, fact.relation)


def _loose(rng: Random, facts: Sequence[Fact]) -> Fact:
    """One fact more, about somebody new or known, that contradicts none of `facts`."""
    taken = {(fact.name, fact.relation.label) for fact in facts}
    while True:
        name = _somebody(rng, facts) if facts else invent_name(rng)
        fact = fact_about(rng, name)
        if (fact.name, fact.relation.label) not in taken:
            return fact


def _somebody(rng: Random, facts: Sequence[Fact]) -> str:
    """A person of `facts`, a teacher named in them, somebody with half a name of theirs, or a stranger."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(facts).name
    if kind < 0.35:
        return rng.choice([fact.value for fact in facts if fact.relation == TEACHER] or [invent_name(rng)])
    if kind < 0.5:
        return similar_name(rng, rng.choice(facts).name)
    return invent_name(rng)


def ask(rng: Random, facts: Sequence[Fact], kind: str, present: float) -> Asked:
    """A question of a `kind` (one of `_KINDS`), with chance `present` one that has an answer."""
    return _KINDS[kind](rng, facts, rng.random() < present)


def _lookup(rng: Random, facts: Sequence[Fact], present: bool) -> Asked:
    fact = rng.choice(facts) if present and facts else absent(rng, facts)
    disputed = [f for i, f in enumerate(facts) if not _alone(facts, i)]
    if present and disputed and rng.random() < 0.3:
        fact = rng.choice(disputed)
    found = [i for i, f in enumerate(facts) if (f.name, f.relation) == (fact.name, fact.relation)]
    return Asked(fact.question(rng), found, "" if found else fact.missing)


def absent(rng: Random, facts: Sequence[Fact]) -> Fact:
    """A fact that is not among `facts`, mostly one that resembles them."""
    taken = {(fact.name, fact.relation.label) for fact in facts}
    while True:
        name = _somebody(rng, facts) if facts else invent_name(rng)
        relation = rng.choice(facts).relation if facts and rng.random() < 0.6 else rng.choice(_ALL)
        if (name, relation.label) not in taken:
            return fact_about(rng, name, relation)


def _paraphrase(rng: Random, facts: Sequence[Fact], present: bool) -> Asked:
    known = [fact.value for fact in facts if fact.relation == _TRADE]
    if present and not known:
        return _lookup(rng, facts, present)
    trade = rng.choice(known) if present and known else rng.choice([t for t in HINTS if t not in known])
    return _about_value(paraphrase_question(rng, trade), facts, _TRADE, trade)


def _list(rng: Random, facts: Sequence[Fact], present: bool) -> Asked:
    relation = rng.choice(facts).relation if facts and rng.random() < 0.7 else rng.choice(_ALL)
    value = relation.value(rng)
    if present and facts:
        repeated = [f for f in facts if sum(f.value == g.value for g in facts) > 1]
        fact = rng.choice(repeated if repeated and rng.random() < 0.7 else facts)
        relation, value = fact.relation, fact.value
    question = list_question if rng.random() < 0.6 else count_question
    return _about_value(question(rng, relation, value), facts, relation, value)


def _about_value(question: str, facts: Sequence[Fact], relation: Relation, value: str) -> Asked:
    found = [i for i, fact in enumerate(facts) if (fact.relation, fact.value) == (relation, value)]
    return Asked(question, found, "" if found else NOT_FOUND)


def _overview(rng: Random, facts: Sequence[Fact], present: bool) -> Asked:
    """A question about the whole text, which is about its facts; not asked where there are many."""
    if len(facts) > _MOST_FOR_OVERVIEW:
        return _list(rng, facts, present)
    return Asked(overview_question(rng), range(len(facts)), "" if facts else NOT_FOUND)


def _chain(rng: Random, facts: Sequence[Fact], present: bool) -> Asked:
    """A question for something about a teacher, or a teacher's teacher, of somebody.

    The answer follows the links as far as they go and says at which fact it stopped.
    """
    pupils = [i for i, fact in enumerate(facts) if fact.relation == TEACHER and _alone(facts, i)]
    if not pupils or rng.random() < 0.12:
        name = _somebody(rng, facts) if facts else invent_name(rng)
        hops = rng.choice(_HOPS)
        if not any((fact.name, fact.relation) == (name, TEACHER) for fact in facts):
            text = _question(rng, rng.choice(RELATIONS), name, hops - 1)
            return Asked(text, [], Fact(TEACHER, name, "").missing)
    if not pupils:
        return _lookup(rng, facts, present)
    path = _follow(rng, facts, rng.choice(pupils))
    last = facts[path[-1]].value
    about = [i for i, fact in enumerate(facts) if fact.name == last and fact.relation != TEACHER]
    ends = [i for i in about if _alone(facts, i)]
    if present and ends:
        end = rng.choice(ends)
        return Asked(_question(rng, facts[end].relation, facts[path[0]].name, len(path)), [*path, end])
    given = {fact.relation for fact in facts if fact.name == last}
    relation = rng.choice([r for r in RELATIONS if r not in given] or [TEACHER])
    if TEACHER not in given and rng.random() < 0.4:  # the chain breaks before its end
        text = _question(rng, rng.choice(RELATIONS), facts[path[0]].name, len(path) + 1)
        return Asked(text, path, Fact(TEACHER, last, "").missing)
    if relation in given:
        return _lookup(rng, facts, present)
    text = _question(rng, relation, facts[path[0]].name, len(path))
    return Asked(text, path, Fact(relation, last, "").missing)


def _question(rng: Random, relation: Relation, name: str, links: int) -> str:
    """The question for `relation` of the person `links` teachers above `name`."""
    return any_question(rng, relation, described(name, links))


def _alone(facts: Sequence[Fact], place: int) -> bool:
    """Whether no other fact repeats or contradicts the one at `place`."""
    mine = (facts[place].name, facts[place].relation)
    return sum((fact.name, fact.relation) == mine for fact in facts) == 1


def _follow(rng: Random, facts: Sequence[Fact], place: int) -> list[int]:
    """The links from the pupil at `place` upwards, sometimes not all of them."""
    path = [place]
    while len(path) < 4:
        above = [
            i
            for i, fact in enumerate(facts)
            if fact.relation == TEACHER and fact.name == facts[path[-1]].value and i not in path
        ]
        if len(above) != 1 or rng.random() < 0.15:
            break
        path += above
    return path


_KINDS = {"lookup": _lookup, "paraphrase": _paraphrase, "list": _list, "overview": _overview, "chain": _chain}
