"""The level for what fits the model as it is: everything is shown, nothing is searched for."""

from collections.abc import Generator

from app.ask.events import Event
from app.ask.levels.answering import answer_from, answer_whole
from app.ask.levels.finding import Finding
from app.ask.levels.work import Work
from qwen2_mlx.errors import Qwen2Error


def fits(work: Work) -> bool:
    """Whether all documents can be shown at once: one text taken whole, or several as parts."""
    return work.tokens <= _most(work)


def whole(work: Work, question: str) -> Generator[Event, None, Finding]:
    """The answer from everything. Raises `Qwen2Error` where that does not fit."""
    if not fits(work):
        raise Qwen2Error(
            f"the documents are {work.tokens:,} tokens and this model takes {_most(work):,} as a whole;"
            " use --mode auto"
        )
    passages = [work.library.passage(*run) for run in work.runs]
    for passage in passages:
        work.looked_at(passage.file, passage.start, passage.end)
    if len(passages) == 1:
        return (yield from answer_whole(work, question, passages[0], "whole"))
    return (yield from answer_from(work, question, passages, "whole"))


def _most(work: Work) -> int:
    return work.roles.sizes.whole if len(work.runs) == 1 else work.evidence_tokens
