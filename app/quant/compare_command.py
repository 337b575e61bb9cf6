"""`qwen2-quant compare`: candidates beside the model they were made from."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli
from app.quant import flags

if TYPE_CHECKING:
    from app.quant.report import CandidateReport
    from quant.report.compare import Comparison, Subject


def add_flags(parser: cli.Parser) -> None:
    """The flags of `qwen2-quant compare`."""
    add = parser.add_argument
    add("reference", type=cli.text, metavar="REFERENCE", help="the original: a folder, hub id or alias")
    add("candidates", type=cli.text, nargs="+", metavar="CANDIDATE", help="a quantisation of it")
    add("--text", action="append", metavar="FILE",
        help="a UTF-8 text to compare on instead of the bundled ones; may be repeated")  # fmt: skip
    flags.add_run_flags(add)
    add("--dtype", choices=flags.DTYPES,
        help="type that computes (default: as stored; float32 resolves differences of 8 bits)")  # fmt: skip
    add("--svg", type=flags.file_to_write, metavar="FILE", help="draw size against divergence into FILE")
    add("--json", action="store_true", help="print one JSON object")


def run(program: str, args: argparse.Namespace) -> int:
    """Measures what is still to do and reports everything."""
    from app.eval.report.files import write_text
    from app.quant.chart import size_chart
    from app.quant.report import ComparisonReport
    from app.quant.texts import evaluation_windows
    from app.quant.watch import watched
    from quant.report.compare import Comparison

    reference = _subject(args.reference)
    candidates = list(dict.fromkeys(_subject(name) for name in args.candidates))
    windows = evaluation_windows(reference.folder, args.text, args.context)
    comparison = Comparison(reference, candidates, windows, flags.shelf(args.work), args.dtype)
    work = comparison.unfinished()
    skipped = len(windows) * (1 + len(candidates)) - len(work)
    with watched(program, [len(reading.window.tokens) for reading in work], skipped) as progress:
        comparison.run(progress)
    report = ComparisonReport(
        reference, windows, args.dtype, [_report(program, comparison, candidate) for candidate in candidates]
    )
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else report.as_text())
    if args.svg:
        write_text(args.svg, size_chart(f"size and divergence from {reference.name}", report.points()))
        print(f"{program}: picture in {args.svg}", file=sys.stderr)
    return 0


def _subject(ref: str) -> "Subject":
    from app.eval.fingerprint import checkpoint_fingerprint
    from quant.report.compare import Subject
    from qwen2_mlx.resolve import resolve

    folder = resolve(ref)
    return Subject(ref, folder, checkpoint_fingerprint(folder))


def _report(program: str, comparison: "Comparison", candidate: "Subject") -> "CandidateReport":
    from app.quant.report import CandidateReport
    from quant.report.matrices import Matrices, matrix_errors
    from quant.report.sizes import size_of
    from quant.report.summary import agreement, by_kind, layer_errors
    from qwen2_mlx.loading import read_config

    rows = comparison.results(candidate)
    found = [arrays for _, arrays in rows]
    original, config = comparison.reference.folder, read_config(candidate.folder)
    print(f"{program}: comparing the matrices of {cli.clean(candidate.name)}", file=sys.stderr)
    return CandidateReport(
        candidate.name,
        size_of(candidate.folder, config),
        agreement(found),
        by_kind(rows),
        layer_errors(found),
        matrix_errors(Matrices(original, read_config(original)), Matrices(candidate.folder, config)),
    )
