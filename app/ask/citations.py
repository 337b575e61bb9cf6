"""From what a model replied to sentences that quotes support.

A model's marks are claims. Each is kept only with a quote that was located in the document and
that supports the sentence; pages come from where the quote stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.ask.answer import Citation, Sentence
from app.ask.likely import likely_passages
from app.ask.marks import Marked, split_reply
from app.ask.not_found import says_not_found
from app.ask.passage import Passage
from app.ask.quotes import Located, locate, locate_exact, locate_similar
from app.ask.roles.protocol import Roles
from app.ask.support import contradicts, says_the_same, supports

if TYPE_CHECKING:
    from app.ask.library import Library

#: Places of a whole document that the model is shown for a sentence that does not stand in it.
PLACES = 2


@dataclass(frozen=True)
class Cited:
    """An answer's sentences and the citations that they name.

    `dropped` counts marks whose quote could not be located or does not support its sentence.
    `not_found` says that the reply, or a part of it, is that the document does not hold the answer.
    """

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    dropped: int
    not_found: bool

    @property
    def text(self) -> str:
        """The answer as people read it, with marks like [1] before the full stops."""
        return " ".join(_with_marks(sentence) for sentence in self.sentences)


def cite(
    reply: str, parts: Sequence[Passage], roles: Roles, library: "Library", *, question: str = ""
) -> Cited:
    """Checks the marks of `reply`, which name `parts` from 1.

    The quote for a mark is the sentence itself, found exactly or nearly so in its part, or else
    the sentence of the part that the model picks. Where none supports it, another part that
    says so is cited instead, and without one the mark is dropped. Citations are numbered from 1
    in order of appearance.
    """
    return _cited(reply, library, lambda marked: _quotes_for(marked, parts, roles, question))


def cite_whole(
    reply: str, document: Passage, roles: Roles, library: "Library", *, question: str = ""
) -> Cited:
    """Finds quotes for a reply to a whole `document`, which has no marks.

    As `cite`; what does not stand in the document is looked for by the model in the places that
    share the most words with the sentence. `dropped` counts sentences without a quote.
    """

    def quotes_for(marked: Marked) -> tuple[list[Located], int]:
        found = _quote_anywhere(marked.text, document, roles, question)
        return ([found], 0) if found else ([], 1)

    return _cited(reply, library, quotes_for)


def _cited(
    reply: str, library: "Library", quotes_for: Callable[[Marked], tuple[list[Located], int]]
) -> Cited:
    """Each sentence of a reply with its quotes; `quotes_for` also says how many were dropped."""
    citing = _Citing(library)
    dropped = 0
    sentences: list[Sentence] = []
    for marked in _without_repeats(split_reply(reply)):
        quotes, lost = ([], 0) if says_not_found(marked.text) else quotes_for(marked)
        dropped += lost
        sentences.append(Sentence(marked.text, citing.numbers(quotes)))
    return Cited(tuple(sentences), tuple(citing.citations), dropped, says_not_found(reply))


class _Citing:
    """Numbers quotes in order of appearance; the same quote keeps its number."""

    def __init__(self, library: "Library"):
        self._library = library
        self._known: dict[tuple[int, int, int], int] = {}
        self.citations: list[Citation] = []

    def numbers(self, quotes: Sequence[Located]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self._number(quote) for quote in quotes))

    def _number(self, quote: Located) -> int:
        passage = quote.passage
        key = (passage.file, passage.start, passage.end)
        if key not in self._known:
            self._known[key] = 1 + len(self.citations)
            self.citations.append(
                Citation(
                    number=self._known[key],
                    file=passage.file,
                    name=self._library.file(passage.file).name,
                    place=self._library.place(passage.file, passage.start),
                    start=passage.start,
                    end=passage.end,
                    quote=passage.text,
                    match=quote.match,
                    score=quote.score,
                )
            )
        return self._known[key]


def _without_repeats(sentences: Sequence[Marked]) -> list[Marked]:
    """Each sentence once: a small model may say the same thing over and over."""
    return list(dict.fromkeys(sentences))


def _quotes_for(
    marked: Marked, parts: Sequence[Passage], roles: Roles, question: str
) -> tuple[list[Located], int]:
    """Quotes that support a sentence, and how many of its marks have none.

    Searching comes before asking the model: it costs nothing and is never wrong about the words.
    """
    named = [parts[mark - 1] if 0 < mark <= len(parts) else None for mark in marked.marks]
    found = [part and _said_in(marked.text, part) for part in named]
    if not any(found) and (elsewhere := _said_elsewhere(marked.text, parts)):
        return elsewhere, max(0, len(named) - 1)
    quotes = [
        quote or (part and _picked(marked.text, part, roles, question))
        for quote, part in zip(found, named, strict=True)
    ]
    return [quote for quote in quotes if quote], sum(quote is None for quote in quotes)


def _said_in(sentence: str, part: Passage) -> Located | None:
    """The sentence itself in `part`, exactly or nearly so."""
    found = locate(sentence, part)
    return found if found and _is_meant(sentence, found) else None


def _is_meant(sentence: str, found: Located) -> bool:
    """Whether what differs in a few characters does not do so in what matters."""
    quote = found.passage.text
    return found.match == "exact" or (supports(sentence, quote) and says_the_same(sentence, quote))


def _said_elsewhere(sentence: str, parts: Sequence[Passage]) -> list[Located]:
    """The first of `parts` that says `sentence`, exactly rather than nearly so."""
    for find in (locate_exact, locate_similar):
        for part in parts:
            found = find(sentence, part)
            if found and _is_meant(sentence, found):
                return [found]
    return []


def _picked(sentence: str, part: Passage, roles: Roles, question: str) -> Located | None:
    """The sentence of `part` that the model picks, if it supports `sentence`."""
    picked = roles.quote(sentence, part)
    if picked is None or not supports(sentence, picked.text, question) or contradicts(sentence, picked.text):
        return None
    return Located(picked, "exact", 100.0)


def _quote_anywhere(sentence: str, document: Passage, roles: Roles, question: str) -> Located | None:
    if found := _said_in(sentence, document):
        return found
    for place in likely_passages(sentence, document, PLACES, roles.sizes.chunk, roles.count):
        if found := _picked(sentence, place, roles, question):
            return found
    return None


def _with_marks(sentence: Sentence) -> str:
    marks = "".join(f"[{number}]" for number in sentence.citations)
    if not marks:
        return sentence.text
    body = sentence.text.rstrip(".!?。！？")
    space = " " if sentence.text[len(body) - 1 : len(body)].isascii() else ""
    return f"{body}{space}{marks}{sentence.text[len(body) :]}"
