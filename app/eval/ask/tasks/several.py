"""Questions that several sentences answer together: chains, counts, lists, conflicting sources."""

from app.eval.ask.cast import Cast
from app.eval.ask.question import Question
from app.eval.ask.tasks.lookup import state
from app.eval.chronicle import RELATIONS, Fact
from app.eval.questions import count_question, list_question

HOPS = (2, 3, 4, 5)

#: How many people a list or a count has: at least, at most.
_PEOPLE = (3, 5)
_NUMBERS = ("zero", "one", "two", "three", "four", "five")
_TOWN = next(relation for relation in RELATIONS if relation.label == "home town")


def chain(cast: Cast, hops: int) -> Question:
    """A fact about the teacher's teacher of somebody, the links far from each other."""
    links = cast.chain(hops)
    return Question(
        f"chain-{hops}",
        links.question(cast.rng),
        expected=((links.value,),),
        facts=tuple(state(cast, fact, _anywhere(cast)) for fact in links.facts),
    )


def count(cast: Cast) -> Question:
    """How many people come from a town; naming all of them is an answer too."""
    people = _townspeople(cast)
    number = len(people)
    return Question(
        "count",
        count_question(cast.rng, _TOWN, people[0].value),
        expected=((str(number),), (_NUMBERS[number],), tuple(fact.name for fact in people)),
        facts=tuple(state(cast, fact, _anywhere(cast)) for fact in people),
    )


def list_all(cast: Cast) -> Question:
    """Everybody who comes from a town."""
    people = _townspeople(cast)
    return Question(
        "list",
        list_question(cast.rng, _TOWN, people[0].value),
        expected=(tuple(fact.name for fact in people),),
        facts=tuple(state(cast, fact, _anywhere(cast)) for fact in people),
    )


def conflict(cast: Cast) -> Question:
    """A fact that two sentences state differently; a right answer gives both."""
    one = cast.fact(relation=cast.rng.choice(RELATIONS[:3]))
    value = one.value
    while value == one.value:
        value = cast.value(one.relation)
    other = cast.note(Fact(one.relation, one.name, value))
    return Question(
        "conflict",
        one.question(cast.rng),
        expected=((one.value, other.value),),
        facts=tuple(state(cast, fact, _anywhere(cast)) for fact in (one, other)),
    )


def _townspeople(cast: Cast) -> list[Fact]:
    return cast.people_of(_TOWN, cast.town(), cast.rng.randint(*_PEOPLE))


def _anywhere(cast: Cast) -> float:
    return cast.rng.uniform(0, 100)
