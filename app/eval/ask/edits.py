"""A fact that changes in the file after it was asked for."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from app.eval.ask.question import Statement
from app.eval.ask.sheet import Asked, Placed


def edited(asked: Asked, placed: Sequence[Placed], rng: Random) -> tuple[Asked, list[Placed]]:
    """The question with another value, which is right from now on, and all statements with its new sentence.

    The value that stood there before is forbidden.
    """
    (old,) = asked.facts
    fact = old.statement.fact
    if fact is None:
        raise ValueError("a sentence without a fact has no value to edit")
    value = fact.value
    while value == fact.value:
        value = fact.relation.value(rng)
    changed = replace(fact, value=value)
    statement = Statement(changed.answer, old.statement.depth, changed)
    new = replace(old, statement=statement)
    question = replace(asked.question, expected=((value,),), forbidden=(fact.value,), facts=(statement,))
    return (
        replace(asked, question=question, facts=(new,)),
        [new if one is old else one for one in placed],
    )
