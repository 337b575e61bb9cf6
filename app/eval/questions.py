"""Questions about more than one fact, about the whole text, and questions that lean on earlier ones."""

from random import Random

from app.eval.chronicle import Fact, Relation
from app.eval.people import plain_question

_OVERVIEW = (
    "What is this text about?",
    "What is the document about?",
    "What is this document about?",
    "Summarise the text.",
    "Summarise the document.",
    "Give me an overview of the document.",
    "What are the main points of the text?",
    "What happens in the text?",
)


def list_question(rng: Random, relation: Relation, value: str) -> str:
    """Asks for everybody of whom `relation` has `value`; the facts' sentences are the answer."""
    return rng.choice(
        (
            f"Who are all the people whose {relation.label} is {value}?",
            f"Who are all the people whose {relation.label} is {value}?",
            f"List all the people whose {relation.label} is {value}.",
            f"Name everybody whose {relation.label} is {value}.",
        )
    )


def count_question(rng: Random, relation: Relation, value: str) -> str:
    """Asks how many there are of whom `relation` has `value`; the facts' sentences are the answer."""
    return rng.choice(
        (
            f"How many people have the {relation.label} {value}?",
            f"How many people have the {relation.label} {value}?",
            f"Count the people whose {relation.label} is {value}.",
        )
    )


def overview_question(rng: Random) -> str:
    """Asks about a text as a whole."""
    return rng.choice(_OVERVIEW)


def follow_up(rng: Random, fact: Fact, other: Fact) -> tuple[str, str]:
    """A short question for `other` after a question about `fact`, and the same one standing alone.

    The two facts share their person or their relation; `ValueError` where they share neither or both.
    """
    if (fact.name == other.name) == (fact.relation == other.relation):
        raise ValueError("a follow-up changes either the person or the relation")
    label, name = other.relation.label, other.name
    if fact.name == name:
        short = rng.choice((f"And the {label}?", f"And their {label}?", f"What about the {label}?"))
    else:
        short = rng.choice((f"What about {name}?", f"And {name}?", f"And of {name}?"))
    return short, plain_question(other.relation, name)
