"""What is searched for: the question's own words first, and words of a model where those do not suffice."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.ask.levels.words import question_words
from app.ask.levels.work import Work
from app.ask.library import Chunk, Term

#: Candidates that a search returns.
CANDIDATES = 60

#: A word in at most this share of all chunks, or in this many, tells where to look.
_RARE_SHARE = 0.01
_RARE = 3

#: What people wrote counts more than what a model thinks a text would say.
_RARE_WEIGHT, _OWN_WEIGHT, _KEYWORD_WEIGHT = 2.0, 1.0, 0.7


@dataclass(frozen=True)
class Plan:
    """Terms to search for. `rare`: the question itself has a term that few chunks hold."""

    terms: tuple[Term, ...]
    rare: bool


def own_plan(work: Work, question: str) -> Plan:
    """The question's own words that the documents hold."""
    limit = max(_RARE, round(len(work.chunks) * _RARE_SHARE))
    terms, rare = [], False
    for word in question_words(question):
        frequency = work.library.frequency(work.sets, word)
        if frequency:
            rare = rare or frequency <= limit
            terms.append(Term(word, _RARE_WEIGHT if frequency <= limit else _OWN_WEIGHT))
    return Plan(tuple(terms), rare)


def with_keywords(work: Work, plan: Plan, question: str) -> Plan:
    """The plan and the words that a text which answers would hold, as the model thinks."""
    known = {term.word.casefold() for term in plan.terms}
    with work.clock.stage("keywords"):
        words = work.roles.keywords(question)
    new = dict.fromkeys(word for word in words if word.strip() and word.casefold() not in known)
    return Plan((*plan.terms, *(Term(word, _KEYWORD_WEIGHT) for word in new)), plan.rare)


def candidates(work: Work, terms: Sequence[Term], limit: int = CANDIDATES) -> list[Chunk]:
    """The best chunks for the terms, best first."""
    if not terms:
        return []
    with work.clock.stage("search"):
        hits = work.library.search(work.sets, terms, limit, work.ranges)
    return [part for hit in hits for part in work.clipped(hit.chunk)]


#: Chunks of an earlier answer that a follow-up may be about too.
_EARLIER = 2


def earlier_chunks(work: Work, answer: str) -> list[Chunk]:
    """The chunks that an earlier answer of the conversation was made from, found again by its words."""
    words = [word for word in question_words(answer) if not word.isdecimal() or len(word) > 2]
    return candidates(work, [Term(word) for word in words], _EARLIER)
