"""What a level has found: sentences and the quotes that support them, good or not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.ask.answer import Citation, Hop, Mode, Sentence
from app.ask.events import Event
from app.ask.passage import Passage


@dataclass(frozen=True)
class Finding:
    """The result of a level, or the best it has so far.

    `not_found`: the documents do not say, or not all of it. `complete`: no limit and no interrupt
    ended the search early. `doubted`: quotes support the answer, but the scout found it in none of the
    passages that it was made from.
    """

    mode: Mode
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped: int = 0
    not_found: bool = False
    evidence: tuple[Passage, ...] = ()
    hops: tuple[Hop, ...] = ()
    complete: bool = True
    doubted: bool = False

    @property
    def supported(self) -> bool:
        """Whether a located quote supports an answer."""
        return not self.not_found and any(sentence.citations for sentence in self.sentences)

    @property
    def suffices(self) -> bool:
        """Whether nothing speaks for going on to a slower level."""
        return self.supported and not self.doubted

    @property
    def rank(self) -> int:
        """A higher one is a better answer: none, unverified, supported."""
        if self.supported:
            return 2
        return 1 if self.sentences and not self.not_found else 0


@dataclass(frozen=True)
class Better:
    """Not the end of a level's search, but what its answer would be now."""

    finding: Finding


#: What levels tell while they work.
Happening = Event | Better


def better(old: Finding | None, new: Finding) -> Finding:
    """The one to show; the newer of two that are equally good, because it knew more."""
    return old if old is not None and old.rank > new.rank else new


def strict(finding: Finding) -> Finding:
    """The finding without the sentences that no quote supports, and not found where none remains.

    Sentences that say what was not found stay.
    """
    if finding.not_found:
        return finding
    kept = tuple(sentence for sentence in finding.sentences if sentence.citations)
    return replace(finding, sentences=kept, not_found=not kept)


def joined(mode: Mode, findings: Sequence[Finding]) -> Finding:
    """One finding of several: equal citations are numbered once, equal sentences are said once."""
    numbers: dict[tuple[int, int, int], int] = {}
    citations: list[Citation] = []
    sentences: dict[str, tuple[int, ...]] = {}
    for finding in findings:
        renumbered = {}
        for citation in finding.citations:
            span = (citation.file, citation.start, citation.end)
            if span not in numbers:
                numbers[span] = len(numbers) + 1
                citations.append(replace(citation, number=numbers[span]))
            renumbered[citation.number] = numbers[span]
        for sentence in finding.sentences:
            marks = [renumbered[number] for number in sentence.citations]
            sentences[sentence.text] = tuple(dict.fromkeys((*sentences.get(sentence.text, ()), *marks)))
    evidence = {(part.file, part.start, part.end): part for finding in findings for part in finding.evidence}
    return Finding(
        mode,
        tuple(Sentence(text, marks) for text, marks in sentences.items()),
        tuple(citations),
        sum(finding.dropped for finding in findings),
        not any(finding.supported for finding in findings),
        tuple(evidence.values()),
        complete=all(finding.complete for finding in findings),
    )
