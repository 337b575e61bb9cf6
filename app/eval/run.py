"""Asks the model every sample of some tasks in every mode, and keeps what was finished."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from time import perf_counter
from typing import Protocol

from app.ask.prompts import whole_document
from app.eval.mode import Mode
from app.eval.progress import Progress, prompt_cost
from app.eval.sample import Cell, Sample, Task
from app.eval.store import Store
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.generate import Progress as OnPrefill
from qwen2_mlx.tokenizer import Tokenizer


@dataclass(frozen=True)
class Result:
    """One answer and its score, 0 to 100. `seconds` are those of prompt and answer together."""

    mode: str
    id: str
    task: str
    length: int
    depth: float | None
    score: float
    expected: list[str]
    answer: str
    prompt_tokens: int
    seconds: float


FIELDS = frozenset(field.name for field in fields(Result))


class Answering(Protocol):
    """The part of `app.eval.engine.Engine` that a run needs; tests script their own."""

    config: ModelConfig
    tokenizer: Tokenizer

    def answer(
        self, mode: Mode, prompt: Sequence[int], max_tokens: int, on_prefill: OnPrefill | None = None
    ) -> str:
        """What the model says to a prompt."""
        ...


def run(
    tasks: Sequence[Task], modes: Sequence[Mode], engine: Answering, store: Store, progress: Progress
) -> None:
    """Measures what the store does not hold yet.

    Modes come one after the other, so that each loads the model once. A finished result is in
    the store before the next sample starts.
    """
    for mode, task, cell in unfinished(tasks, modes, store):
        progress.start(_describe(mode, cell), prompt_cost(engine.config, cell.length))
        store.append(asdict(_measure(task, mode, cell, engine, progress)))
        progress.finish()


def unfinished(tasks: Sequence[Task], modes: Sequence[Mode], store: Store) -> list[tuple[Mode, Task, Cell]]:
    """What is still to do, in its order."""
    return [
        (mode, task, cell)
        for mode, task, cell in _everything(tasks, modes)
        if not store.get(mode.name, cell.id)
    ]


def finished(tasks: Sequence[Task], modes: Sequence[Mode], store: Store) -> list[Result]:
    """The results that are there, in the order of the grid."""
    rows = (store.get(mode.name, cell.id) for mode, _, cell in _everything(tasks, modes))
    return [Result(**{name: row[name] for name in FIELDS}) for row in rows if row]


def _everything(tasks: Sequence[Task], modes: Sequence[Mode]) -> Iterator[tuple[Mode, Task, Cell]]:
    return ((mode, task, cell) for mode in modes for task in tasks for cell in task.cells())


def _measure(task: Task, mode: Mode, cell: Cell, engine: Answering, progress: Progress) -> Result:
    sample = task.sample(cell, engine.tokenizer)
    prompt = prompt_of(sample, engine.tokenizer)
    whole = prompt_cost(engine.config, len(prompt))
    started = perf_counter()
    answer = engine.answer(
        mode,
        prompt,
        sample.max_tokens,
        lambda done, _: progress.part(prompt_cost(engine.config, done) / whole),
    )
    return Result(
        mode=mode.name,
        id=cell.id,
        task=cell.task,
        length=cell.length,
        depth=cell.depth,
        score=sample.score(answer),
        expected=list(sample.expected),
        answer=answer,
        prompt_tokens=len(prompt),
        seconds=perf_counter() - started,
    )


def prompt_of(sample: Sample, tokenizer: Tokenizer) -> list[int]:
    """The token ids of the whole prompt, up to where the answer begins."""
    content = whole_document(sample.document, sample.question)
    return tokenizer.encode_chat([{"role": "user", "content": content}])


def _describe(mode: Mode, cell: Cell) -> str:
    depth = "" if cell.depth is None else f", depth {cell.depth:g} %"
    return f"{mode.name}, {cell.task}, {cell.length:,} tokens{depth}"
