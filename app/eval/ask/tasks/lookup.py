"""One fact that one sentence states: word for word, paraphrased, among near misses, or not at all."""

from app.eval.ask.cast import TRADE, Cast
from app.eval.ask.question import Question, Statement
from app.eval.ask.words import words
from app.eval.chronicle import Fact, absent_fact
from app.eval.hints import paraphrase_question

#: Facts of the same kind about people of similar names, for each question of that task.
NEAR_MISSES = 10


def needle(cast: Cast, depth: float) -> Question:
    """A fact, asked for by name."""
    fact = cast.fact()
    return Question(
        "needle",
        fact.question(cast.rng),
        expected=((fact.value,),),
        facts=(state(cast, fact, depth),),
        depth=depth,
    )


def paraphrase(cast: Cast, depth: float) -> Question:
    """Somebody with a trade, asked for by what people of that trade do: no content word in common."""
    (fact,) = cast.people_of(TRADE, cast.rare_trade(), 1)
    question, statement = paraphrase_question(cast.rng, fact.value), state(cast, fact, depth)
    if shared := set(words(question)) & set(words(statement.sentence)):
        raise ValueError(f"{question!r} is no paraphrase: {shared} stands in {statement.sentence!r}")
    return Question("paraphrase", question, expected=((fact.name,),), facts=(statement,), depth=depth)


def near_miss(cast: Cast) -> Question:
    """A fact among facts with the same predicate; half of their people share a name with the right one."""
    fact = cast.fact()
    while fact.relation == TRADE:  # a wrong trade would often be the right one
        cast.facts.remove(fact)
        fact = cast.fact()
    others = [_miss(cast, fact, similar=index % 2 == 0) for index in range(NEAR_MISSES)]
    return Question(
        "near-miss",
        fact.question(cast.rng),
        expected=((fact.value,),),
        facts=(state(cast, fact, cast.rng.uniform(0, 100)),),
        others=tuple(state(cast, other, cast.rng.uniform(0, 100)) for other in others),
        forbidden=tuple(other.value for other in others),
    )


def _miss(cast: Cast, fact: Fact, similar: bool) -> Fact:
    other = cast.fact(cast.namesake(fact.name) if similar else None, fact.relation)
    while other.value == fact.value:
        cast.facts.remove(other)
        other = cast.fact(other.name, fact.relation)
    return other


def absent(cast: Cast) -> Question:
    """A fact that the document does not hold; often it holds something like it.

    Ask for it after everything else was put into the document.
    """
    fact = absent_fact(cast.rng, [fact for fact in cast.facts if len(fact.name.split()) == 2])
    return Question("absent", fact.question(cast.rng), expected=())


def state(cast: Cast, fact: Fact, depth: float) -> Statement:
    """The fact as the document states it."""
    return Statement(fact.sentence(cast.rng), depth, fact)
