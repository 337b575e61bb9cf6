"""The noise that some tasks repeat: five short sentences that say nothing."""

from collections.abc import Iterator
from itertools import cycle

_SENTENCES = (
    "The road is long.",
    "The river is cold.",
    "The hill is high.",
    "We walk a while.",
    "Then we turn back.",
)

#: Sentences in a paragraph.
PARAGRAPH = (len(_SENTENCES),)


def noise() -> Iterator[str]:
    """The five sentences in turn, without end."""
    return cycle(_SENTENCES)
