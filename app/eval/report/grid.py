"""The report of a grid: one structure for the JSON, the files and the terminal."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from app.eval.mode import Mode
from app.eval.report.files import as_csv, as_json, versions, write_text
from app.eval.report.heat_map import heat_maps
from app.eval.report.summary import group_by, maps
from app.eval.report.terminal import render, uses_colour
from app.eval.run import Result

_COLUMNS = (
    "mode", "task", "length", "depth", "score", "expected", "answer", "prompt_tokens", "seconds", "id",
)  # fmt: skip


class GridReport:
    """Everything that is shown of finished results.

    `settings` are shown as they are and hold `task` and `model`. `weights` are those of tasks in
    the means, where they do not count the same. `summary` makes numbers of a task's own from
    the results of one mode.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        modes: Sequence[Mode],
        results: Sequence[Result],
        weights: Mapping[str, float],
        summary: Callable[[Sequence[Result]], dict[str, Any]],
    ):
        self._settings, self._modes, self._results = settings, modes, results
        self._maps = maps(results, weights)
        self._summaries = {
            mode.name: summary([result for result in results if result.mode == mode.name]) for mode in modes
        }

    def as_text(self) -> str:
        """A heat map a mode, in colour where the terminal takes it."""
        colours = uses_colour(sys.stdout)
        words = {mode.name: mode.description for mode in self._modes}
        parts = []
        for shown in self._maps:
            title = f"{shown.mode}: {words[shown.mode]}; mean {_rounded(shown.overall)}"
            numbers = [
                f"{name.replace('_', ' ')}: {value}" for name, value in self._summaries[shown.mode].items()
            ]
            parts.append("\n".join([render(shown, title, colours), *numbers]))
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Settings, versions, modes with their means, and the mean of every cell."""
        overall = {shown.mode: _rounded(shown.overall) for shown in self._maps}
        return {
            **self._settings,
            "versions": versions(),
            "modes": [
                {
                    "name": mode.name,
                    **asdict(mode),
                    "description": mode.description,
                    "mean": overall[mode.name],
                    **self._summaries[mode.name],
                }
                for mode in self._modes
            ],
            "means": [
                {"mode": shown.mode, "length": length, "score": _rounded(mean)}
                for shown in self._maps
                for length, mean in zip(shown.lengths, shown.means, strict=True)
            ],
            "cells": self._cells(),
        }

    def write(self, folder: Path) -> None:
        """results.csv, results.json and the heat maps, named after the task."""
        task, model = self._settings["task"], self._settings["model"]
        write_text(folder / "results.csv", as_csv(_COLUMNS, (asdict(result) for result in self._results)))
        write_text(folder / "results.json", as_json(self.as_dict()))
        write_text(folder / f"{task}.svg", heat_maps(self._maps, f"{task}, {model}"))

    def _cells(self) -> list[dict[str, Any]]:
        groups = group_by(((r.mode, r.task, r.length, r.depth), r.score) for r in self._results)
        return [
            {
                "mode": mode,
                "task": task,
                "length": length,
                "depth": depth,
                "score": _rounded(fmean(scores)),
                "prompts": len(scores),
            }
            for (mode, task, length, depth), scores in groups.items()
        ]


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 2)
