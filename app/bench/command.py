"""`qwen2-bench`: what a model needs, before it is loaded."""

import argparse
import sys

from app import cli
from app.bench import kernels_command, plan_command

PROGRAM = "qwen2-bench"

EPILOG = "exit codes: 0 done, 1 error, or nothing asked for fits, 2 usage, 130 interrupted"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(build_parser().parse_args(argv)))


def build_parser() -> cli.Parser:
    """The subcommands of `qwen2-bench` and their flags."""
    parser = cli.Parser(
        prog=PROGRAM, description="Tells what a model needs, and what our kernels save.", epilog=EPILOG
    )
    parser.add_argument("--version", action=cli.VersionAction)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    plan = commands.add_parser(
        "plan",
        help="memory for texts of many lengths, calculated without loading weights",
        description="Prints the memory that texts need, calculated: no weights are loaded, and those of the"
        " official sizes need not be on this machine.",
    )
    plan_command.add_flags(plan)
    plan.set_defaults(run=plan_command.run)
    kernels = commands.add_parser(
        "kernels",
        help="launches, bytes and predicted speed of our Metal kernels and of MLX's",
        description="Prints what decoding one token takes, calculated from the launches, and the speed that"
        " follows for named Macs: predicted, not measured. On a Mac it also measures the attention.",
    )
    kernels_command.add_flags(kernels)
    kernels.set_defaults(run=kernels_command.run)
    return parser


def _run(args: argparse.Namespace) -> int:
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
