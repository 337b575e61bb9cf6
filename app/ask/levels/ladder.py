"""One fact: searched for, and read for where searching does not suffice and time allows."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from app.ask.events import Escalation
from app.ask.levels.finding import Better, Finding, Happening, better
from app.ask.levels.read import Reader
from app.ask.levels.retrieve import retrieve
from app.ask.levels.work import Work
from app.ask.library import Chunk


def look_up(work: Work, question: str, carried: Sequence[Chunk] = ()) -> Generator[Happening, None, Finding]:
    """The answer of the first level that supports one, else the best there is."""
    found = yield from retrieve(work, question, carried)
    return found if found.suffices else (yield from climb(work, question, found))


def climb(work: Work, question: str, found: Finding) -> Generator[Happening, None, Finding]:
    """Reads, because what was `found` by a search does not suffice.

    A search that a limit keeps from going on is not complete; one that was told not to (`max_time` 0) is.
    """
    if not work.clock.limit:
        return found
    if work.must_end():
        return replace(found, complete=False)
    reader = Reader(work, question)
    seconds = reader.seconds()
    if found.rank and found is not work.best:
        yield Better(found)
    reason = _reason(found)
    work.escalations.append(f"read: {reason}")
    yield Escalation("read", reason, seconds)
    read = yield from reader.run()
    if not read.complete:
        return replace(better(found, read), complete=False)
    # A doubted answer stands if nothing else was found and the scout puts its place before others.
    return found if found.supported and not read.supported and reader.best_hold(found.citations) else read


def _reason(found: Finding) -> str:
    if found.supported:
        return "the scout doubts the answer"
    return "no quote supports the answer" if found.rank else "a search found no answer"
