"""The level that searches: for words of the question, then for words that an answer would hold."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from app.ask.events import Working
from app.ask.levels.answering import answer_from
from app.ask.levels.evidence import choose, openings, parts_of, promising_first
from app.ask.levels.finding import Better, Finding, Happening, better
from app.ask.levels.scoring import Scored, Scorer
from app.ask.levels.search_plan import candidates, own_plan, with_keywords
from app.ask.levels.work import Work
from app.ask.library import Chunk

#: Share of the evidence that what the conversation was about before may take.
_CARRIED_SHARE = 0.25


def retrieve(work: Work, question: str, carried: Sequence[Chunk] = ()) -> Generator[Happening, None, Finding]:
    """The answer from the chunks that a search finds; a second search where the first does not suffice.

    Words that the question itself has tell where to look. Those that a model thinks of lead to many
    places, and the scout puts these in order. `carried` are chunks that an earlier answer of the
    conversation was made from.
    """
    yield Working("searching", 0, 1, "searches")
    if work.stopped():
        return Finding("retrieve", complete=False)
    plan, finding = own_plan(work, question), Finding("retrieve", not_found=True)
    shown: list[Chunk] = []
    if plan.rare:
        shown = _with_carried(work, candidates(work, plan.terms), carried)
        finding = yield from answer_from(work, question, parts_of(work, shown), "retrieve")
        if finding.supported:
            return finding
        yield Better(finding)
    if work.must_end():
        return replace(finding, complete=False)
    found = candidates(work, with_keywords(work, plan, question).terms)
    rated = yield from _rated(work, question, found)
    complete, promised = len(rated) == len(found), any(one.score > 0 for one in rated)
    if shown and not complete:
        return replace(finding, complete=False)
    promising = promising_first(rated, shown) if complete or promised else found
    second = _with_carried(work, promising or ([] if shown else openings(work)), carried)
    if not second or _same(second, shown):
        return replace(finding, complete=complete)
    again = yield from answer_from(work, question, parts_of(work, second), "retrieve")
    return better(finding, replace(again, complete=complete, doubted=not promised))


def _same(left: Sequence[Chunk], right: Sequence[Chunk]) -> bool:
    return {(chunk.file, chunk.start) for chunk in left} == {(chunk.file, chunk.start) for chunk in right}


def _with_carried(work: Work, ranked: Sequence[Chunk], carried: Sequence[Chunk]) -> list[Chunk]:
    """The best of the ranked chunks, and of the carried ones what fits their share."""
    left = int(work.evidence_tokens * _CARRIED_SHARE)
    before: list[Chunk] = []
    for chunk in carried:
        left -= chunk.tokens
        if left < 0:
            break
        before.append(chunk)
    taken = sum(chunk.tokens for chunk in before)
    return [*choose(work, ranked, work.evidence_tokens - taken), *before] if ranked else []


def _rated(
    work: Work, question: str, chunks: Sequence[Chunk]
) -> Generator[Happening, None, list[Scored[Chunk]]]:
    """How relevant the scout finds the chunks, as far as it came."""
    rated: list[Scored[Chunk]] = []
    if work.must_answer():
        return rated
    for batch in Scorer(work, question).scored(chunks, rough=True):
        rated += batch
        yield Working("rating", len(rated), len(chunks), "passages")
        if work.must_answer():
            break
    return rated
