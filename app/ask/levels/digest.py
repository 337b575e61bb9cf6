"""The level for questions about all of the text: notes are taken of every window, then put together.

Notes are sentences of the documents, each with its place. They are stored window by window, so that a
search that was killed goes on where it was. How many there are is counted here, never by a model.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

from app.ask.answer import Citation, Sentence
from app.ask.events import Working
from app.ask.levels.answering import answer_from
from app.ask.levels.evidence import AROUND
from app.ask.levels.finding import Better, Finding, Happening, joined
from app.ask.levels.notes import Notes
from app.ask.levels.words import counts, lists
from app.ask.levels.work import Work
from app.ask.normal import normal
from app.ask.passage import Passage

#: Sentences up to which a count lists what it counted.
_MOST_LISTED = 10


def digest(work: Work, question: str, notes: Notes | None = None) -> Generator[Happening, None, Finding]:
    """The answer from everything in the text that belongs to it; some `notes` may have been taken."""
    if work.stopped():
        return Finding("digest", complete=False)
    notes, complete = notes or Notes(work, question), True
    must_end = work.must_end if counts(question) else work.must_answer
    try:
        for taken in notes.take():
            yield taken
            if notes.left and must_end():
                complete = False
                break
    except KeyboardInterrupt:  # within a call: what was noted before is an answer too
        work.stopped.now()
        complete = False
    passages = _distinct([work.library.passage(*span) for span in notes.spans()])
    said = _as_they_stand(work, passages)
    if not passages:
        return replace(said, not_found=True, complete=complete)
    if counts(question):
        return replace(_counted(said, complete), complete=complete)
    yield Better(replace(said, complete=False))
    if work.must_end():
        return replace(said, complete=False)
    found = yield from _answered(work, question, passages)
    if lists(question):
        found = joined("digest", [found, *_left_out(work, passages, found)])
    return replace(found, complete=complete and found.complete)


def _distinct(passages: Sequence[Passage]) -> list[Passage]:
    """The passages without those that say the same word for word as an earlier one."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(normal(passage.text).text, passage)
    return list(first.values())


def _as_they_stand(work: Work, passages: Sequence[Passage]) -> Finding:
    """The notes themselves as the sentences of an answer."""
    citations = tuple(_citation(work, number, passage) for number, passage in enumerate(passages, 1))
    sentences = tuple(
        Sentence(" ".join(citation.quote.split()), (citation.number,)) for citation in citations
    )
    return Finding("digest", sentences, citations, evidence=tuple(passages))


def _citation(work: Work, number: int, passage: Passage) -> Citation:
    return Citation(
        number,
        passage.file,
        work.name(passage.file),
        work.library.place(passage.file, passage.start),
        passage.start,
        passage.end,
        passage.text,
        "exact",
        100.0,
    )


def _counted(said: Finding, complete: bool) -> Finding:
    """How many notes there are, in words that claim no more; a few are given too."""
    count = len(said.citations)
    many = f"{count} sentence says so." if count == 1 else f"{count} sentences say so."
    text = many if complete else f"At least {many}"
    numbers = tuple(citation.number for citation in said.citations)
    listed = said.sentences if count <= _MOST_LISTED else ()
    return replace(said, sentences=(Sentence(text, numbers), *listed))


def _answered(work: Work, question: str, passages: Sequence[Passage]) -> Generator[Happening, None, Finding]:
    """What the model answers from the notes, as many at a time as fit its evidence."""
    findings: list[Finding] = []
    groups = _groups(work, passages)
    for done, group in enumerate(groups):
        yield Working("answering", done, len(groups), "groups of notes")
        findings.append((yield from answer_from(work, question, group, "digest")))
        if done + 1 < len(groups) and work.must_answer():
            return replace(joined("digest", findings), complete=False)
    supported = [finding for finding in findings if finding.supported]
    return joined("digest", supported or findings)


def _left_out(work: Work, passages: Sequence[Passage], found: Finding) -> list[Finding]:
    """The notes that an answer does not cite, as they stand: a list is to miss nothing that was noted."""
    rest = [
        note
        for note in passages
        if not any(
            cited.file == note.file and cited.start < note.end and note.start < cited.end
            for cited in found.citations
        )
    ]
    return [_as_they_stand(work, rest)] if rest else []


def _groups(work: Work, passages: Sequence[Passage]) -> list[list[Passage]]:
    """Runs of notes that fit the evidence budget, each at least one note."""
    groups: list[list[Passage]] = []
    left = 0
    for passage in passages:
        size = work.roles.count(passage.text) + AROUND
        if size > left or not groups:
            groups.append([])
            left = work.evidence_tokens
        groups[-1].append(passage)
        left -= size
    return groups
