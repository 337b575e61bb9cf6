"""Means of a run: by cell of the grid, by length, by task, over all."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from app.eval.run import Result

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Map:
    """The means of one mode as a picture shows them: a row a depth, or a row a task.

    `values[row][column]` is None where nothing was measured. `weights` are those of the rows in
    the means.
    """

    mode: str
    rows: Sequence[str]
    title: str  # of the rows
    lengths: Sequence[int]
    values: Sequence[Sequence[float | None]]
    weights: Sequence[float]

    @property
    def means(self) -> list[float | None]:
        """The mean of each length."""
        return [self._mean([row[column] for row in self.values]) for column in range(len(self.lengths))]

    @property
    def overall(self) -> float | None:
        """The mean of all lengths."""
        known = [mean for mean in self.means if mean is not None]
        return fmean(known) if known else None

    def _mean(self, column: Sequence[float | None]) -> float | None:
        known = [
            (value, weight) for value, weight in zip(column, self.weights, strict=True) if value is not None
        ]
        return fmean(*zip(*known, strict=True)) if known else None


def maps(results: Sequence[Result], weights: Mapping[str, float] | None = None) -> list[Map]:
    """One picture a mode, in the order in which modes and tasks first appear.

    Rows are depths where one task was measured at several, else tasks. `weights` are those of
    tasks; without them every row counts the same.
    """
    modes = list(dict.fromkeys(result.mode for result in results))
    tasks = list(dict.fromkeys(result.task for result in results))
    lengths = sorted({result.length for result in results})
    depths = sorted({result.depth for result in results if result.depth is not None})
    by_depth = len(tasks) == 1 and len(depths) > 0
    rows: list[float | str | None] = [*depths] if by_depth else [*tasks]
    groups = group_by(
        ((result.mode, result.depth if by_depth else result.task, result.length), result.score)
        for result in results
    )
    means = {key: fmean(scores) for key, scores in groups.items()}
    return [
        Map(
            mode,
            [f"{row:g}" if isinstance(row, float) else str(row).rpartition("/")[2] for row in rows],
            "depth %" if by_depth else "task",
            lengths,
            [[means.get((mode, row, length)) for length in lengths] for row in rows],
            [(weights or {}).get(str(row), 1.0) for row in rows],
        )
        for mode in modes
    ]


def group_by(scores: Iterable[tuple[Key, float]]) -> dict[Key, list[float]]:
    """The scores of each key, in the order in which keys first appear."""
    groups: defaultdict[Key, list[float]] = defaultdict(list)
    for key, score in scores:
        groups[key].append(score)
    return dict(groups)
