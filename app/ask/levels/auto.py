"""The ladder: the cheapest level that can answer first, slower ones where it could not."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from app.ask.events import Escalation, Working
from app.ask.levels.digest import digest
from app.ask.levels.finding import Finding, Happening, better
from app.ask.levels.ladder import look_up
from app.ask.levels.notes import Notes
from app.ask.levels.reason import reason
from app.ask.levels.retrieve import retrieve
from app.ask.levels.whole import fits, whole
from app.ask.levels.words import counts
from app.ask.levels.work import Work
from app.ask.library import Chunk


def auto(work: Work, question: str, carried: Sequence[Chunk] = ()) -> Generator[Happening, None, Finding]:
    """The answer of the level that suits the question and the documents."""
    if fits(work):
        return (yield from whole(work, question))
    yield Working("thinking", 0, 1, "questions")
    if work.stopped():
        return Finding("retrieve", complete=False)
    with work.clock.stage("question"):
        kind = work.roles.kind(question)
    if kind == "hops":
        return (yield from reason(work, question))
    if kind == "global" and work.clock.limit:
        return (yield from _about_everything(work, question))
    return (yield from look_up(work, question, carried))


def _about_everything(work: Work, question: str) -> Generator[Happening, None, Finding]:
    """Notes of everything; where there are none, the question may have been about one thing after all."""
    if work.stopped():
        return Finding("digest", complete=False)
    notes = Notes(work, question)
    seconds = notes.seconds()
    reason = "the question is about all of the text"
    work.escalations.append(f"digest: {reason}")
    yield Escalation("digest", reason, seconds)
    found = yield from digest(work, question, notes)
    if found.supported or counts(question) or not found.complete:
        return found
    searched = yield from retrieve(work, question)
    return better(found, replace(searched, doubted=False))  # no passage says what all of a text is about
