"""Documents of known facts, of any length."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from random import Random

from app.ask.documents.document import Document, Page
from app.eval.chronicle import filler_sentence

#: Characters of a page.
PAGE = 1500


def chronicle(facts: Sequence[str], sentences: int, seed: int = 0) -> str:
    """Facts spread evenly among so many sentences of neutral prose."""
    rng = Random(seed)
    text = [filler_sentence(rng) for _ in range(sentences)]
    for number, fact in reversed(list(enumerate(facts, 1))):
        text.insert(number * sentences // (len(facts) + 1), fact)
    return "\n".join(" ".join(text[at : at + 6]) for at in range(0, len(text), 6))


def document(text: str, name: str = "chronicle.txt", pages: bool = False) -> Document:
    """A text as a document, with or without pages."""
    unit, cuts = ("page", [*range(0, len(text), PAGE), len(text)]) if pages else ("line", [0, len(text)])
    spans = [Page(number, *span) for number, span in enumerate(pairwise(cuts), 1)]
    return Document(name, sha256(text.encode()).hexdigest(), "text", unit, text, tuple(spans))
