"""Asks every contestant every question, and keeps what was answered.

A document is written and indexed once; the contestants come one after the other, each with models and
memory of its own. A finished answer is in the store before the next question is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from random import Random

from app.eval.ask.edits import edited
from app.eval.ask.levels import applies, cost
from app.eval.ask.metrics import judge
from app.eval.ask.outcome import Contestant, Outcome
from app.eval.ask.peak_memory import peak_memory
from app.eval.ask.sheet import Asked, Placed, Sheet, files_sheet, main_sheet, question_ids
from app.eval.ask.workplace import Workplace, workplace
from app.eval.progress import Progress
from app.eval.store import Store
from qwen2_mlx.tokenizer import Tokenizer


@dataclass(frozen=True)
class Plan:
    """What is asked: tasks about documents of `lengths` tokens, `repeats` documents each, at `depths`."""

    levels: Sequence[str]
    tasks: Sequence[str]
    lengths: Sequence[int]
    depths: Sequence[float]
    repeats: int
    seed: int


@dataclass(frozen=True)
class Result:
    """One answer judged; `score` is 100 where it is right. Tokens are those of this question alone.

    `tokens` are those of the documents, `read` of them were looked at. `peak_memory` is the most
    bytes that the process has held so far.
    """

    mode: str
    id: str
    task: str
    length: int
    depth: float | None
    score: float
    question: str
    expected: list[str]
    answer: str
    status: str
    text_right: bool
    page_right: bool | None
    false_answer: bool | None
    citations: int
    precise: int
    sentences: int
    covered: int
    dropped: int
    prefilled: int
    reused: int
    generated: int
    read: int
    tokens: int
    seconds: float
    peak_memory: int
    pages: list[int]
    cited_pages: list[int]
    trail: list[str]


FIELDS = frozenset(field.name for field in fields(Result))

#: Opens the contestant of a level on a workplace; it reports the share of a question that is done.
OpenContestant = Callable[[str, Workplace, Callable[[float], None]], AbstractContextManager[Contestant]]


@dataclass(frozen=True)
class Cell:
    """One question to one level, before any text is written."""

    level: str
    task: str
    id: str
    length: int
    repeat: int

    @property
    def own_files(self) -> bool:
        return self.task == "files"


def cells(plan: Plan) -> Iterator[Cell]:
    """Everything that is asked, document by document, in the order in which it is."""
    for length in plan.lengths:
        for repeat in range(plan.repeats):
            for own_files in (False, True):
                for level in plan.levels:
                    for task in plan.tasks:
                        if applies(level, task) and (task == "files") == own_files:
                            for identity in question_ids(task, length, repeat, plan.depths):
                                yield Cell(level, task, identity, length, repeat)


def unfinished(plan: Plan, store: Store) -> list[Cell]:
    """What is still to do, in its order."""
    return [cell for cell in cells(plan) if not store.get(cell.level, cell.id)]


def finished(plan: Plan, store: Store) -> list[Result]:
    """The results that are there, in their order."""
    rows = (store.get(cell.level, cell.id) for cell in cells(plan))
    return [Result(**{name: row[name] for name in FIELDS}) for row in rows if row]


def run(
    plan: Plan, tokenizer: Tokenizer, open_contestant: OpenContestant, store: Store, progress: Progress
) -> None:
    """Asks what the store does not hold yet."""
    left = unfinished(plan, store)
    documents = dict.fromkeys((cell.length, cell.repeat, cell.own_files) for cell in left)
    for length, repeat, own_files in documents:
        todo = [c for c in left if (c.length, c.repeat, c.own_files) == (length, repeat, own_files)]
        progress.start(f"writing {length:,} tokens", 0)
        if own_files:
            sheet = files_sheet(tokenizer, plan.seed, length, repeat)
        else:
            sheet = main_sheet(tokenizer, plan.seed, length, repeat, plan.depths)
        with workplace(sheet) as place:
            for level in dict.fromkeys(cell.level for cell in todo):
                mine = [cell for cell in todo if cell.level == level]
                _ask_all(mine, sheet, place, open_contestant(level, place, progress.part), store, progress)


def _ask_all(
    todo: Sequence[Cell],
    sheet: Sheet,
    place: Workplace,
    opening: AbstractContextManager[Contestant],
    store: Store,
    progress: Progress,
) -> None:
    """Asks one contestant, of whom nothing is left in memory when this returns."""
    questions = {asked.id: asked for asked in sheet.questions}
    with opening as contestant:
        for cell in todo:
            progress.start(f"{cell.level}, {cell.id}", cost(cell.level, cell.length))
            asked, outcome, placed = _ask(cell, questions[cell.id], sheet, place, contestant)
            result = result_of(cell.level, cell.length, asked, outcome, placed, sheet.tokens)
            store.append(asdict(result))
            progress.finish()


def _ask(
    cell: Cell, asked: Asked, sheet: Sheet, place: Workplace, contestant: Contestant
) -> tuple[Asked, Outcome, Sequence[Placed]]:
    """The answer, the question as it is judged, and what stands in the files then."""
    question, files = asked.question, place.files
    if question.earlier is not None:
        first = contestant.ask(question.earlier, files)
        turn = (first.standalone or question.earlier, first.text)
        return asked, contestant.ask(question.text, files, turn), sheet.placed
    if question.task == "stale":
        contestant.ask(question.text, files)
        asked, placed = edited(asked, sheet.placed, Random(f"{cell.level}/{cell.id}"))
        place.edit(question.facts[0].sentence, asked.question.facts[0].sentence)
        return asked, contestant.ask(question.text, files), placed
    return asked, contestant.ask(question.text, files), sheet.placed


def result_of(
    level: str, length: int, asked: Asked, outcome: Outcome, placed: Sequence[Placed], tokens: int
) -> Result:
    """An answer judged; `placed` is what stands in the documents, which have `tokens` tokens."""
    verdict = judge(asked, outcome, placed)
    question = asked.question
    return Result(
        mode=level,
        id=asked.id,
        task=question.task,
        length=length,
        depth=question.depth,
        score=100.0 if verdict.right else 0.0,
        question=question.text,
        expected=[" and ".join(group) for group in question.expected],
        answer=outcome.text,
        status=outcome.status,
        text_right=verdict.text,
        page_right=verdict.page,
        false_answer=verdict.false_answer,
        citations=verdict.citations,
        precise=verdict.precise,
        sentences=verdict.sentences,
        covered=verdict.covered,
        dropped=outcome.dropped,
        prefilled=outcome.usage.prefilled,
        reused=outcome.usage.reused,
        generated=outcome.usage.generated,
        read=outcome.read,
        tokens=tokens,
        seconds=outcome.seconds,
        peak_memory=peak_memory(),
        pages=[fact.page for fact in asked.facts],
        cited_pages=[citation.place.number for citation in outcome.citations],
        trail=list(outcome.trail),
    )
