"""The files of a finished run beside its `results.jsonl`: CSV, JSON and pictures."""

import csv
import io
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.cli import clean


def write_text(path: Path, content: str) -> None:
    """Writes a whole file or leaves the old one."""
    partial = path.with_name(f"{path.name}.part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV; lists are joined with semicolons, text comes without control characters."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_field(row[column]) for column in columns])
    return stream.getvalue()


def as_json(report: Mapping[str, Any]) -> str:
    """The report, indented for people."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def versions() -> dict[str, str]:
    """What computed the results."""
    from qwen2_mlx import __version__

    return {
        "qwen2-mlx": __version__,
        "mlx": version("mlx"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _field(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:g}" if value == round(value, 3) else f"{value:.3f}"
    if isinstance(value, list | tuple):
        return "; ".join(clean(str(part)) for part in value)
    return clean(value) if isinstance(value, str) else value
