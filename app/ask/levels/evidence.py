"""From ranked chunks to the parts that a model answers from."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from app.ask.levels.scoring import Scored
from app.ask.levels.work import Work
from app.ask.library import Chunk
from app.ask.passage import Passage

#: Tokens around a part: its number and the empty line before it.
AROUND = 6

#: Characters between two chunks that are one run of text: white space is in neither.
_GAP = 4


def choose(work: Work, ranked: Iterable[Chunk], budget: int | None = None) -> list[Chunk]:
    """The first chunks that fit the evidence budget together, at least one; the order is kept.

    One that does not fit is left out and a smaller one after it may still come in.
    """
    left = work.evidence_tokens if budget is None else budget
    chosen: list[Chunk] = []
    seen: set[tuple[int, int]] = set()
    for chunk in ranked:
        size = chunk.tokens + AROUND
        if (size > left and chosen) or (chunk.file, chunk.start) in seen:
            continue
        left -= size
        seen.add((chunk.file, chunk.start))
        chosen.append(chunk)
        if left <= 0:
            break
    return chosen


def parts_of(work: Work, chunks: Sequence[Chunk]) -> list[Passage]:
    """The chunks as passages in the order of the documents, neighbours as one."""
    runs: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda chunk: work.position(chunk.file, chunk.start)):
        last = runs[-1] if runs else None
        if last and chunk.file == last.file and _touch(work, last, chunk):
            runs[-1] = replace(last, end=max(last.end, chunk.end))
        else:
            runs.append(chunk)
    for run in runs:
        work.looked_at(run.file, run.start, run.end)
    return [work.passage(run) for run in runs]


def promising_first(rated: Sequence[Scored[Chunk]], shown: Sequence[Chunk] = ()) -> list[Chunk]:
    """The chunks to answer from, best first: those that the scout says yes to, and no others beside them.

    Where it says yes to none, its order alone counts; `shown` are then left out, having been tried.
    """
    ranked = sorted(rated, key=lambda one: -one.score)
    if promising := [one.span for one in ranked if one.score > 0]:
        return promising
    tried = {(chunk.file, chunk.start) for chunk in shown}
    return [one.span for one in ranked if (one.span.file, one.span.start) not in tried]


def openings(work: Work) -> list[Chunk]:
    """The beginnings of all documents in turn: what is left to look at where no word matches."""
    most = max(1, work.evidence_tokens // max(1, len(work.files)))
    chosen: list[Chunk] = []
    for _, chunks in groupby(work.chunks, key=lambda chunk: chunk.file):
        left = most
        for at, chunk in enumerate(chunks):
            left -= chunk.tokens + AROUND
            if at and left < 0:
                break
            chosen.append(chunk)
    return chosen


def _touch(work: Work, left: Chunk, right: Chunk) -> bool:
    """Whether one chunk goes on where the other ends; what `--pages` leaves out parts them."""
    if right.start <= left.end:
        return True
    if right.start - left.end > _GAP:
        return False
    return not work.library.passage(left.file, left.end, right.start).text.strip()
