"""From parts of documents to a checked answer."""

from collections.abc import Callable, Generator, Sequence

from app.ask.answer import Mode
from app.ask.citations import Cited, cite, cite_whole
from app.ask.events import Event, Working
from app.ask.levels.finding import Finding
from app.ask.levels.words import strangers
from app.ask.levels.work import Work
from app.ask.passage import Passage
from app.ask.roles.protocol import OnText


def answer_from(
    work: Work, question: str, parts: Sequence[Passage], mode: Mode
) -> Generator[Event, None, Finding]:
    """What the model answers from these parts, each sentence with the quotes that were located for it."""
    yield Working("answering", 0, 1, "answers")
    reply = yield from _reply(work, lambda on_text: work.roles.answer(question, parts, on_text))
    with work.clock.stage("cite"):
        cited = cite(reply, parts, work.roles, work.library, question=question)
    return _finding(mode, cited, parts)


def answer_whole(work: Work, question: str, document: Passage, mode: Mode) -> Generator[Event, None, Finding]:
    """What the model answers from one text taken whole."""
    yield Working("answering", 0, 1, "answers")
    reply = yield from _reply(work, lambda on_text: work.roles.answer_whole(question, document, on_text))
    with work.clock.stage("cite"):
        cited = cite_whole(reply, document, work.roles, work.library, question=question)
    return _finding(mode, cited, [document])


def _reply(work: Work, call: Callable[[OnText], str]) -> Generator[Event, None, str]:
    """The reply of a call, timed: what comes before the first piece is the reading of the prompt."""
    before, begun = work.roles.usage, work.clock.now()
    first: list[float] = []

    def timed(on_text: OnText) -> str:
        def heard(piece: str) -> None:
            first.append(work.clock.now())
            on_text(piece)

        return call(heard)

    with work.clock.stage("answer"):
        reply = yield from work.streamed(timed)
        done = work.roles.usage - before
    if first and not done.reused:
        work.speeds.measured("prefill", done.prefilled, first[0] - begun)
        work.speeds.measured("generate", done.generated, work.clock.now() - first[0])
    return reply


def _finding(mode: Mode, cited: Cited, parts: Sequence[Passage]) -> Finding:
    sentences, parts = tuple(cited.sentences), tuple(parts)
    finding = Finding(mode, sentences, tuple(cited.citations), cited.dropped, cited.not_found, parts)
    if finding.rank == 1 and _names_a_stranger(finding):
        # Nothing was verified, and the answer is about somebody of whom its evidence does not speak.
        return Finding(mode, dropped=cited.dropped, not_found=True, evidence=parts)
    return finding


def _names_a_stranger(finding: Finding) -> bool:
    """Whether a sentence has a name that stands nowhere in the evidence."""
    held = [part.text for part in finding.evidence]
    return any(strangers(sentence.text, held) for sentence in finding.sentences)
