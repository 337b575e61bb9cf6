"""`qwen2-eval`: what a model can do, measured."""

import argparse
import sys

from app import cli
from app.eval import ask_command, facts_command, grid_command, perplexity_command
from app.eval.catalogue import GRID_TASKS

PROGRAM = "qwen2-eval"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(build_parser().parse_args(argv)))


def build_parser() -> cli.Parser:
    """The evaluations of `qwen2-eval` and their flags."""
    parser = cli.Parser(prog=PROGRAM, description="Evaluates a model on tasks that need no downloads.")
    parser.add_argument("--version", action=cli.VersionAction)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK", parser_class=cli.Parser)
    facts_command.add_flags(
        tasks.add_parser(
            "facts", help="exact answers about facts in a text, and false ones about absent facts"
        )
    )
    for task in GRID_TASKS:
        grid_command.add_flags(tasks.add_parser(task.name, help=task.help), task)
    perplexity_command.add_flags(
        tasks.add_parser("perplexity", help="how well text is predicted, by position in it")
    )
    ask_command.add_flags(
        tasks.add_parser("ask", help="questions about long documents: every level of qwen2-ask")
    )
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.task == "facts":
        return facts_command.run(PROGRAM, args)
    if args.task == "perplexity":
        return perplexity_command.run(PROGRAM, args)
    if args.task == "ask":
        return ask_command.run(PROGRAM, args)
    task = next(task for task in GRID_TASKS if task.name == args.task)
    return grid_command.run(PROGRAM, task, args)


if __name__ == "__main__":
    sys.exit(main())
