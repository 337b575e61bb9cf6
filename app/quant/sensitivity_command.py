"""`qwen2-quant sensitivity`: the table that mixed precision chooses from."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli
from app.quant import flags

if TYPE_CHECKING:
    from quant.format import Format
    from quant.report.table import Module, Table

_BITS = (2, 3, 4, 5, 6, 8)
_GROUP_SIZES = (32, 64, 128)

#: Tokens that sensitivities are measured on.
TOKENS = 2048

#: Modules shown on the terminal.
_SHOWN = 10


def add_flags(parser: cli.Parser) -> None:
    """The flags of `qwen2-quant sensitivity`."""
    add = parser.add_argument
    add("model", type=cli.text, metavar="MODEL", help="in floating point: a folder, hub id or alias")
    add("--bits", type=int, choices=_BITS, nargs="+", default=list(_BITS), metavar="BITS",
        help="widths to measure (default: 2 3 4 5 6 8)")  # fmt: skip
    add("--group-size", type=int, choices=_GROUP_SIZES, default=64, help="weights that share a scale")
    add("--tokens", type=cli.positive_int, default=TOKENS, metavar="N",
        help=f"tokens to measure on (default: {TOKENS})")  # fmt: skip
    add("--calibration", type=Path, metavar="FILE",
        help="text to measure on: plain, or one JSON object a line (default: a bundled one)")  # fmt: skip
    add("-o", "--output", type=flags.file_to_write, required=True, metavar="FILE", help="JSON file to write")
    flags.add_run_flags(add)


def run(program: str, args: argparse.Namespace) -> int:
    """Measures what is still to do and writes the table."""
    from app.eval.report.files import as_json, write_text
    from quant.format import Format
    from qwen2_mlx.resolve import resolve

    formats = [Format(bits, args.group_size) for bits in sorted(set(args.bits))]
    table = measured(
        program, resolve(args.model), formats, args.calibration, args.tokens, args.context, args.work
    )
    write_text(args.output, as_json(table.as_dict()))
    print("\n".join(_shown(table)))
    print(f"{program}: table of {len(table.modules)} matrices in {args.output}", file=sys.stderr)
    return 0


def measured(
    program: str,
    folder: Path,
    formats: "Sequence[Format]",
    calibration: Path | None = None,
    tokens: int = TOKENS,
    context: int = flags.CONTEXT,
    work: Path | None = None,
    dtype: str | None = None,
) -> "Table":
    """The table of the checkpoint in `folder`, with progress on stderr under the name `program`.

    `calibration`, `tokens`, `context` and `work` are as the flags of their names. `dtype` is the type that
    scales and biases will have, by default the checkpoint's own.
    """
    from app.eval.fingerprint import checkpoint_fingerprint
    from app.quant.texts import calibration_windows
    from app.quant.watch import watched
    from quant.report.sensitivity import measure

    return measure(
        folder,
        calibration_windows(folder, calibration, context, tokens),
        formats,
        checkpoint_fingerprint(folder),
        flags.shelf(work),
        lambda costs, skipped: watched(program, costs, skipped),
        dtype,
    )


def _shown(table: "Table") -> list[str]:
    """The modules that cost most at the fewest bits, with all that was measured of them."""
    formats = sorted({f for module in table.modules.values() for f in module.kl}, key=lambda f: f.bits)
    worst = sorted(table.modules.items(), key=lambda item: -_kl(item[1], formats[0]))[:_SHOWN]
    width = max(len(path) for path, _ in worst) + 1
    head = f"{'KL with one matrix at':{width}}" + "".join(f"{f.bits:>5} bits" for f in formats)
    rows = (
        f"{cli.clean(path):{width}}" + "".join(f"{_kl(module, f):>10.2e}" for f in formats)
        for path, module in worst
    )
    return [head, *rows]


def _kl(module: "Module", format: "Format") -> float:
    return module.kl.get(format, float("nan"))
