"""From what a level has found to the answer that people are given."""

from dataclasses import replace

from app.ask.answer import Answer, Status
from app.ask.citations import Cited
from app.ask.levels.finding import Finding, strict
from app.ask.levels.work import Work
from app.ask.not_found import NOT_YET
from app.ask.prompts import NOT_FOUND


def assembled(work: Work, finding: Finding) -> Answer:
    """The finding as an answer to the question that `work` is about."""
    if work.options.strict:
        finding = strict(finding)
    if not finding.complete:
        finding = _of_a_part(finding)
    return Answer(
        question=work.question,
        standalone=work.standalone,
        status=_status(finding),
        text=_text(finding),
        mode=finding.mode,
        sentences=finding.sentences,
        citations=finding.citations,
        dropped=finding.dropped,
        evidence=finding.evidence,
        hops=finding.hops,
        escalations=tuple(work.escalations),
        coverage=work.coverage(),
        usage=work.usage,
        seconds=dict(work.clock.seconds),
        warnings=tuple(f"{file.name}: {warning}" for file in work.files for warning in file.warnings),
    )


def _of_a_part(finding: Finding) -> Finding:
    """The finding without a plain "not in the document", which is more than a part of it can tell."""
    kept = tuple(sentence for sentence in finding.sentences if sentence.text != NOT_FOUND)
    return replace(finding, sentences=kept)


def _status(finding: Finding) -> Status:
    if not finding.complete:
        return "partial"
    if finding.suffices:
        return "found"
    return "unverified" if finding.rank else "not_found"


def _text(finding: Finding) -> str:
    if not finding.sentences:
        return NOT_FOUND if finding.complete else NOT_YET
    return Cited(finding.sentences, finding.citations, finding.dropped, finding.not_found).text
