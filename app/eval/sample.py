"""What every long-context task hands the runner: cells of a grid, and a prompt for each.

A task lists its cells without writing any text, so that a run can count, weigh and skip
them first. A sample is a function of the run's seed and its cell, so that a run that was
interrupted goes on with the very prompts it would have had.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from qwen2_mlx.tokenizer import Tokenizer


@dataclass(frozen=True)
class Cell:
    """One prompt of a task, not yet written."""

    id: str  # unique and stable within a run, such as "needle/3072/25/0"
    task: str  # "needle", "ruler/vt", "needlebench/single"
    length: int  # tokens that the whole prompt may fill
    depth: float | None  # percent from the start, None where it has no meaning


@dataclass(frozen=True)
class Sample:
    """One prompt, and what a right answer to it is."""

    cell: Cell
    document: str
    question: str
    expected: tuple[str, ...]  # what a right answer contains
    max_tokens: int
    score: Callable[[str], float]  # answer -> 0..100


class Task(Protocol):
    """A task with its parameters: lengths, depths, repetitions, seed."""

    @property
    def name(self) -> str:
        """The task as `qwen2-eval` knows it."""
        ...

    def cells(self) -> Iterator[Cell]:
        """Every cell of the grid, cheaply and in a stable order."""
        ...

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """The prompt of a cell: a function of the task's seed and the cell alone."""
        ...
