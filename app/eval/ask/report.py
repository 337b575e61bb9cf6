"""The report of `qwen2-eval ask`: one structure for the JSON, the files and the terminal."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from app.eval.ask.run import FIELDS, Result
from app.eval.report.files import as_csv, as_json, versions, write_text
from app.eval.report.heat_map import heat_maps
from app.eval.report.summary import maps
from app.eval.report.terminal import render, uses_colour
from app.eval.run import Result as Scored

_COLUMNS = (
    "mode", "task", "length", "depth", "score", "question", "expected", "answer", "status", "text_right",
    "page_right", "false_answer", "citations", "precise", "sentences", "covered", "dropped", "prefilled",
    "reused", "generated", "read", "tokens", "seconds", "peak_memory", "pages", "cited_pages", "trail", "id",
)  # fmt: skip
assert set(_COLUMNS) == FIELDS


@dataclass(frozen=True)
class Totals:
    """A level's answers: shares in percent, None where there was nothing to measure; means a question.

    `accuracy` counts right answers that cite the right page where one is asked for, `text` right
    answers. `partial` is how many ended before everything was looked at; "not in the part that was read"
    is no false answer. `prefilled_share` is in percent of the documents.
    """

    level: str
    questions: int
    accuracy: float | None
    text: float | None
    false_answers: float | None
    precision: float | None
    coverage: float | None
    dropped: int
    partial: int
    prefilled: float
    prefilled_share: float
    reused: float
    generated: float
    seconds: float


def totals(level: str, results: Sequence[Result]) -> Totals:
    """`results` are those of one level, at least one."""
    present = [r for r in results if r.false_answer is None]
    absent = [r for r in results if r.false_answer is not None]
    return Totals(
        level=level,
        questions=len(results),
        accuracy=_percent(sum(r.score == 100 for r in present), len(present)),
        text=_percent(sum(r.text_right for r in present), len(present)),
        false_answers=_percent(sum(bool(r.false_answer) for r in absent), len(absent)),
        precision=_percent(sum(r.precise for r in results), sum(r.citations for r in results)),
        coverage=_percent(sum(r.covered for r in results), sum(r.sentences for r in results)),
        dropped=sum(r.dropped for r in results),
        partial=sum(r.status == "partial" for r in results),
        prefilled=_mean(results, lambda r: r.prefilled),
        prefilled_share=_mean(results, lambda r: 100 * r.prefilled / r.tokens),
        reused=_mean(results, lambda r: r.reused),
        generated=_mean(results, lambda r: r.generated),
        seconds=_mean(results, lambda r: r.seconds),
    )


class AskReport:
    """Everything that is shown of finished results. `settings` are shown as they are and hold `model`."""

    def __init__(self, settings: Mapping[str, Any], results: Sequence[Result]):
        self._settings, self._results = settings, results
        self._levels = list(dict.fromkeys(result.mode for result in results))
        self._maps = maps([_scored(result) for result in results])
        self._totals = {
            (level, length): totals(level, [r for r in results if r.mode == level and r.length == length])
            for level in self._levels
            for length in sorted({r.length for r in results if r.mode == level})
        }

    def as_text(self) -> str:
        """A map of tasks by lengths for each level, then costs and citations of all levels by length."""
        colours = uses_colour(sys.stdout)
        parts = [render(shown, f"{shown.mode}, right answers in percent", colours) for shown in self._maps]
        return "\n\n".join([*parts, self._table()])

    def as_dict(self) -> dict[str, Any]:
        """Settings, versions, totals by level and length, and the mean of every cell."""
        return {
            **self._settings,
            "versions": versions(),
            "totals": [{"length": length, **asdict(one)} for (_, length), one in self._totals.items()],
            "peak_memory": max((r.peak_memory for r in self._results), default=0),
            "cells": [
                {"level": shown.mode, "row": row, "length": length, "score": value}
                for shown in self._maps
                for row, values in zip(shown.rows, shown.values, strict=True)
                for length, value in zip(shown.lengths, values, strict=True)
                if value is not None
            ],
        }

    def write(self, folder: Path) -> None:
        """results.csv, results.json, ask.svg with all tasks, and pictures by depth of tasks with depths."""
        if not self._results:
            return
        model = self._settings["model"]
        write_text(folder / "results.csv", as_csv(_COLUMNS, (asdict(result) for result in self._results)))
        write_text(folder / "results.json", as_json(self.as_dict()))
        write_text(folder / "ask.svg", heat_maps(self._maps, f"document questions, {model}"))
        for task in dict.fromkeys(r.task for r in self._results if r.depth is not None):
            of_task = maps([_scored(r) for r in self._results if r.task == task])
            write_text(folder / f"{task}.svg", heat_maps(of_task, f"{task}, {model}"))

    def _table(self) -> str:
        head = (
            f"{'level':>9}{'tokens':>11}{'asked':>7}{'right':>7}{'text':>7}{'false':>7}{'precise':>9}"
            f"{'covered':>9}{'partial':>9}{'prefilled':>11}{'share':>8}{'reused':>10}{'generated':>11}{'seconds':>9}"
        )
        return "\n".join([head, *(_row(length, one) for (_, length), one in self._totals.items())])


def _row(length: int, one: Totals) -> str:
    return (
        f"{one.level:>9}{length:>11,}{one.questions:>7}{_shown(one.accuracy):>7}{_shown(one.text):>7}"
        f"{_shown(one.false_answers):>7}{_shown(one.precision):>9}{_shown(one.coverage):>9}"
        f"{one.partial:>9}{one.prefilled:>11,.0f}{one.prefilled_share:>7.1f}%{one.reused:>10,.0f}{one.generated:>11,.0f}"
        f"{one.seconds:>9.2f}"
    )


def _scored(result: Result) -> Scored:
    """The result as heat maps take it."""
    return Scored(
        result.mode,
        result.id,
        result.task,
        result.length,
        result.depth,
        result.score,
        result.expected,
        result.answer,
        result.prefilled,
        result.seconds,
    )


def _shown(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.1f}"


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _mean(results: Sequence[Result], value: Callable[[Result], float]) -> float:
    return round(fmean(value(result) for result in results), 3)
