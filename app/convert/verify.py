"""`qwen2-convert verify`: whether a model folder is whole, sound, and what its source says."""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app import cli
from app.convert.reference import path_of

if TYPE_CHECKING:
    from convert.folder.verify import Report

PROGRAM = "qwen2-convert"

DESCRIPTION = """\
Checks a model folder: its files against their manifest, its tensors against its config, every
number, with --source its weights against those it was made from, and one pass of the model.
Exit code 1 when something is wrong."""

#: Parameters shown that are farthest from their source.
_WORST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `verify`."""
    add = parser.add_argument
    add("folder", type=cli.text, metavar="FOLDER", help="folder, hub id or alias of the model")
    add("--source", type=cli.text, metavar="SRC", help="what it was made from: folder, GGUF file or hub id")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Carries out all checks and prints what they found; 0 when nothing is wrong."""
    from app.convert.progress import Progress
    from convert.folder.verify import Verification
    from qwen2_mlx.resolve import resolve

    verification = Verification(resolve(args.folder), args.source and path_of(args.source))
    progress = Progress(PROGRAM, verification.bytes_to_read())
    try:
        report = verification.run(progress.done)
    finally:
        progress.clear()
    if args.json:
        print(json.dumps(_as_dict(report), ensure_ascii=False, indent=2))
    else:
        print("\n".join(cli.clean(line) for line in _lines(report)))
    return cli.ERROR if report.findings else 0


def _lines(report: "Report") -> Iterator[str]:
    """The report for people, what is wrong first."""
    for finding in report.findings:
        yield " ".join(f"wrong: {finding}".splitlines())
    yield from _deviations(report)
    for note in report.notes:
        yield " ".join(f"note: {note}".splitlines())
    checked = [f"{report.files} files"] if report.files else []
    checked.append(f"{report.tensors} tensors")
    if report.groups:
        checked.append(f"{report.groups:,} groups ({report.zero_groups:,} of them with a scale of 0)")
    if report.deviations:
        checked.append(f"{len(report.deviations)} parameters against the source")
    if report.computed:
        checked.append("one pass of the model")
    count = len(report.findings)
    verdict = f"{count} {'thing is' if count == 1 else 'things are'} wrong" if count else "nothing is wrong"
    yield f"{verdict}; checked: {', '.join(checked)}"


def _deviations(report: "Report") -> Iterator[str]:
    """The parameters that changed most."""
    worst = sorted((one for one in report.deviations if one.error), key=lambda one: -one.error)[:_WORST]
    if worst:
        yield "farthest from the source (error as a share, and that of rounding alone):"
    for one in worst:
        rows = "" if one.rows == one.row_count else f"  {one.rows:,} of {one.row_count:,} rows"
        yield f"  {one.name}  {one.error:.3%}  {one.plain:.3%}{rows}"


def _as_dict(report: "Report") -> dict[str, Any]:
    value = asdict(report)
    for deviation in value["deviations"]:
        if not math.isfinite(deviation["error"]):  # JSON has no NaN
            deviation["error"] = None
    return {"ok": not report.findings, **value}
