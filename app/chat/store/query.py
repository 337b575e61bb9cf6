"""From what people type to what the index is asked, and to where the words stand in a text.

Words mean "all of these"; what stands in quotes means "just so". The last word may be unfinished, so
its beginning will do. Nothing in a query is syntax but the quotes.
"""

import re
from dataclasses import dataclass

from app.ask.library.terms import Phrase, phrases_of, stem

#: Characters of a query that count, and words.
_LONGEST = 500
_MOST_WORDS = 30

_PIECES = re.compile(r'"([^"]*)("?)|([^\s"]+)')
_LAST_WORD = re.compile(r"[a-z0-9]+$")
_MOST_ENDING = 3


@dataclass(frozen=True)
class Query:
    """`match` is an expression of FTS5; `words` finds one of the words in a text, roughly.

    `roots`, in lower case, are how the words that `words` finds begin.
    """

    match: str
    words: re.Pattern[str]
    roots: tuple[str, ...]


def read_query(text: str) -> Query | None:
    """None where there is no word in it."""
    pieces = [
        (quoted or plain, bool(plain or not closed))
        for quoted, closed, plain in _PIECES.findall(text[:_LONGEST])
    ][:_MOST_WORDS]
    if text[-1:].isspace():
        pieces = [(piece, False) for piece, _ in pieces]
    matches, patterns, roots = [], [], []
    for number, (piece, open_end) in enumerate(pieces, start=1):
        found = _alternatives(piece, open_end and number == len(pieces))
        if found:
            matches.append("(" + " OR ".join(found) + ")")
            words = re.findall(r"[^\W_]+", piece) or [piece]
            patterns.append(_pattern(words))
            roots.append(_root(words[0]).lower())
    if not matches:
        return None
    return Query(" AND ".join(matches), re.compile("|".join(patterns), re.IGNORECASE), tuple(roots))


def _alternatives(piece: str, unfinished: bool) -> list[str]:
    """FTS5 phrases; any of them will do."""
    phrases = phrases_of(piece)
    found = [_phrase(phrase) for phrase in phrases]
    if phrases and unfinished:
        *before, last = _terms(phrases[0])
        typed = _LAST_WORD.search(piece.lower())
        word = typed[0] if typed and stem(typed[0]) == last else last
        found.append(f'"{" ".join([*before, word])}"*')
        found += [f'"{" ".join([*before, term])}"' for term in _stems_begun(word)]
    return list(dict.fromkeys(found))


def _phrase(phrase: Phrase) -> str:
    return '"' + " ".join(_terms(phrase)) + '"' + "*" * phrase[-1].beginning


def _terms(phrase: Phrase) -> list[str]:
    """The terms of a phrase; what it leaves out between two of them is the last sign of a run."""
    terms: list[str] = []
    for wanted in phrase:
        if len(terms) < wanted.offset:
            terms.append(terms[-1][-1])
        terms.append(wanted.term)
    return terms


def _stems_begun(word: str) -> list[str]:
    """Stems of words that begin so: the index holds "run" for "running", of which "runn" is a part."""
    stems = [stem(word)]
    if not word.isalpha():
        return stems
    for length in range(1, min(_MOST_ENDING, len(word) - 3) + 1):
        if any(ending.startswith(word[-length:]) for ending in ("ing", "ed", "ies")):
            stems.append(stem(word[:-length]))
    if len(word) > 3 and word.endswith(("i", "ie")):
        stems.append(word.rstrip("ie") + "y")
    doubled = [base for base in (word, *stems) if len(base) > 3 and base[-1] == base[-2]]
    return stems + [base[:-1] for base in doubled if base[-1] not in "aeioulsz"]


def _pattern(words: list[str]) -> str:
    """A regular expression for words that follow one another as people write them."""
    return r"[\W_]{1,3}".join(
        rf"(?<![^\W_]){re.escape(_root(word))}[^\W_]*" if word.isascii() else re.escape(word)
        for word in words
    )


def _root(word: str) -> str:
    """How all forms of a word begin."""
    root = stem(word.lower())
    return word if not word.isascii() else root if word.lower().startswith(root) else word[:-1]
