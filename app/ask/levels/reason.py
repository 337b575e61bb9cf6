"""The level for questions that need one fact before they can ask for another.

What must be found first is looked up, put into the question, and the question asked again, until it asks
for one fact. The answer is then made from the quotes of all steps.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace

from app.ask.answer import Hop, Sentence
from app.ask.events import Step, Working
from app.ask.levels.answering import answer_from
from app.ask.levels.finding import Better, Finding, Happening, joined
from app.ask.levels.ladder import climb
from app.ask.levels.retrieve import retrieve
from app.ask.levels.words import same_question, strangers
from app.ask.levels.work import Work
from app.ask.not_found import NOT_YET
from app.ask.passage import Passage
from app.ask.prompts import NOT_FOUND

#: Facts that may have to be found one after another.
MOST_HOPS = 5


@dataclass
class _Chain:
    """What was found step by step, and every question that was asked or is `left`."""

    left: str
    found: list[Finding] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)

    def asked(self, question: str) -> bool:
        return any(same_question(hop.question, question) for hop in self.hops)

    def strange(self, question: str, sub: str) -> bool:
        """Whether a step names somebody or something of which neither question nor findings speak."""
        return bool(strangers(sub, [question, self.left, *(hop.finding for hop in self.hops)]))

    def without(self, missing: str, complete: bool) -> Finding:
        """What was found as an answer that names the missing link."""
        said = (NOT_FOUND if complete else NOT_YET).rstrip(".")
        known = joined("reason", self.found)
        sentences = (*known.sentences, Sentence(f"{said}: {missing}", ()))
        return replace(known, sentences=sentences, not_found=True, hops=tuple(self.hops), complete=complete)


def reason(work: Work, question: str) -> Generator[Happening, None, Finding]:
    """The answer from a chain of facts, or what was found of it and which link is missing."""
    chain = _Chain(question)
    while len(chain.hops) < MOST_HOPS:
        if work.must_end():
            return chain.without(chain.left, complete=False)
        yield Working("thinking", len(chain.hops), MOST_HOPS, "steps")
        with work.clock.stage("reason"):
            sub = work.roles.first(chain.left)
        if chain.strange(question, sub):
            sub = chain.left
        if chain.asked(sub):
            break
        last = same_question(sub, chain.left)
        finding = yield from _aside(work, retrieve(work, sub))
        if not (finding.supported or last) and chain.found:
            # A model that goes on asking for one thing more may have all it needs.
            direct = yield from _aside(work, retrieve(work, chain.left))
            if direct.supported:
                sub, finding, last = chain.left, direct, True
        if not finding.supported:
            finding = yield from _aside(work, climb(work, sub, finding))
        chain.hops.append(Hop(sub, _fact(finding)))
        yield Step(len(chain.hops), chain.hops[-1])
        if not finding.supported:
            return chain.without(sub, finding.complete)
        chain.found.append(finding)
        if last:
            return (yield from _concluded(work, question, chain))
        yield Better(chain.without(chain.left, complete=False))
        if work.stopped():
            continue
        with work.clock.stage("reason"):
            resolved = work.roles.resolve(chain.hops[-1].finding, chain.left)
        if same_question(resolved, chain.left) or chain.strange(question, resolved):
            break
        chain.left = resolved
    return (yield from _stuck(work, question, chain))


def _aside(work: Work, level: Generator[Happening, None, Finding]) -> Generator[Happening, None, Finding]:
    """Works on what is not the question itself: no part of it is shown as the answer."""
    work.aside = True
    try:
        while True:
            try:
                happening = next(level)
            except StopIteration as end:
                return end.value
            if not isinstance(happening, Better):
                yield happening
    finally:
        work.aside = False


def _fact(finding: Finding) -> str:
    """The first sentence that a quote supports; "" where there is none."""
    supported = (sentence.text for sentence in finding.sentences if sentence.citations)
    return next(supported, "") if finding.supported else ""


def _concluded(work: Work, question: str, chain: _Chain) -> Generator[Happening, None, Finding]:
    """The answer to the question itself, from the quotes of all steps."""
    known = replace(joined("reason", chain.found), hops=tuple(chain.hops))
    if len(chain.found) == 1 or work.stopped():
        return known
    parts = [
        Passage(citation.file, citation.start, citation.end, citation.quote) for citation in known.citations
    ]
    finding = yield from answer_from(work, question, parts, "reason")
    if not (finding.supported and _cites(finding, chain.found[-1])):
        return known
    return replace(finding, hops=known.hops, evidence=known.evidence, dropped=finding.dropped + known.dropped)


def _cites(finding: Finding, last: Finding) -> bool:
    """Whether an answer gives what the last step found: a model may stop half way along the chain."""
    return any(
        cited.file == quote.file and cited.start < quote.end and quote.start < cited.end
        for cited in finding.citations
        for quote in last.citations
    )


def _stuck(work: Work, question: str, chain: _Chain) -> Generator[Happening, None, Finding]:
    """The models led nowhere: what a plain search finds, else the links that were found."""
    found = yield from retrieve(work, question)
    if found.supported:
        return replace(found, hops=tuple(chain.hops))
    return chain.without(chain.left, complete=found.complete)
