"""`qwen2-quant`: quantised models beside their original, and what each matrix needs."""

import argparse
import sys

from app import cli
from app.quant import compare_command, sensitivity_command

PROGRAM = "qwen2-quant"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(build_parser().parse_args(argv)))


def build_parser() -> cli.Parser:
    """The measurements of `qwen2-quant` and their flags."""
    parser = cli.Parser(prog=PROGRAM, description="Measures what quantisation costs, without downloads.")
    parser.add_argument("--version", action=cli.VersionAction)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK", parser_class=cli.Parser)
    compare_command.add_flags(
        tasks.add_parser(
            "compare", help="divergence of quantised models from their original, by kind of text"
        )
    )
    sensitivity_command.add_flags(
        tasks.add_parser(
            "sensitivity", help="what few bits cost in each matrix, for qwen2-convert --target-bpw"
        )
    )
    return parser


def _run(args: argparse.Namespace) -> int:
    command = compare_command if args.task == "compare" else sensitivity_command
    return command.run(PROGRAM, args)


if __name__ == "__main__":
    sys.exit(main())
