"""The report of perplexity by position: one structure for the JSON, the files and the terminal."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.eval.mode import Mode
from app.eval.report.files import as_csv, as_json, versions, write_text
from app.eval.report.line_chart import line_chart

_COLUMNS = ("mode", "start", "stop", "loss", "perplexity")

#: Nats; a loss beyond it has no perplexity that fits a number.
_LARGEST_LOSS = 700.0


class PerplexityReport:
    """`losses` are nats a token for each bucket between `bounds`, by the name of the mode.

    `settings` are shown as they are and hold `model` and `trained_length`.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        modes: Sequence[Mode],
        bounds: Sequence[int],
        losses: Mapping[str, Sequence[float]],
    ):
        self._settings, self._modes, self._bounds, self._losses = settings, modes, bounds, losses

    def as_text(self) -> str:
        """A table: positions from top to bottom, modes from left to right."""
        width = max(10, *(len(mode.name) + 2 for mode in self._modes))
        head = [f"{mode.name}: {mode.description}" for mode in self._modes]
        names = "".join(f"{mode.name:>{width}}" for mode in self._modes)
        lines = [*head, "", f"{'perplexity at':>19}{names}"]
        for index, (start, stop) in enumerate(pairwise(self._bounds)):
            cells = (perplexity(self._losses[mode.name][index]) for mode in self._modes)
            place = f"{start:,}-{stop:,}"
            lines.append(f"{place:>19}" + "".join(f"{cell:>{width},.2f}" for cell in cells))
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Settings, versions, modes, and the loss of every bucket."""
        return {
            **self._settings,
            "versions": versions(),
            "modes": [{"name": m.name, **asdict(m), "description": m.description} for m in self._modes],
            "buckets": list(self._rows()),
        }

    def write(self, folder: Path) -> None:
        """results.csv, results.json and perplexity.svg."""
        title = f"perplexity by position, {self._settings['model']}"
        write_text(folder / "results.csv", as_csv(_COLUMNS, self._rows()))
        write_text(folder / "results.json", as_json(self.as_dict()))
        write_text(
            folder / "perplexity.svg",
            line_chart(title, self._bounds, self._losses, self._settings["trained_length"]),
        )

    def _rows(self) -> Iterator[dict[str, Any]]:
        for mode, losses in self._losses.items():
            for (start, stop), loss in zip(pairwise(self._bounds), losses, strict=True):
                yield {
                    "mode": mode,
                    "start": start,
                    "stop": stop,
                    "loss": round(loss, 4),
                    "perplexity": round(perplexity(loss), 4),
                }


def perplexity(loss: float) -> float:
    """e to the loss in nats."""
    return math.exp(min(loss, _LARGEST_LOSS))
