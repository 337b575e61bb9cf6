"""`qwen2-eval`: what a model can do, measured."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli

if TYPE_CHECKING:
    from app.eval.facts import Score

PROGRAM = "qwen2-eval"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _facts(build_parser().parse_args(argv)))


def build_parser() -> cli.Parser:
    """The evaluations of `qwen2-eval` and their flags."""
    parser = cli.Parser(prog=PROGRAM, description="Evaluates a model on tasks that need no downloads.")
    parser.add_argument("--version", action=cli.VersionAction)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK", parser_class=cli.Parser)
    facts = tasks.add_parser(
        "facts", help="exact answers about facts in a text, and false ones about absent facts"
    )
    add = facts.add_argument
    add(
        "-m",
        "--model",
        type=cli.text,
        default="tiny",
        metavar="REF",
        help="as for qwen2-chat (default: tiny)",
    )
    add("-n", "--questions", type=cli.positive_int, default=500, metavar="N", help="questions of each kind")
    add("--seed", type=cli.non_negative_int, default=0, metavar="N", help="first document (default: 0)")
    add("--json", action="store_true", help="print one JSON object")
    add("-v", "--verbose", action="store_true", help="show every wrong answer on stderr")
    return parser


def _facts(args: argparse.Namespace) -> int:
    from app.eval.facts import Score, evaluate
    from qwen2_mlx.loading import load

    model, tokenizer = load(args.model)
    score = Score()
    for score in evaluate(model, tokenizer, args.questions, args.seed):
        if sys.stderr.isatty():
            print(
                f"\r{PROGRAM}: {score.asked} of {args.questions} questions",
                end="",
                file=sys.stderr,
                flush=True,
            )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if args.verbose:
        for question, answer in score.wrong:
            print(
                cli.clean(f"{question.text}\n  right: {question.answer}\n  said:  {answer}"), file=sys.stderr
            )
    print(json.dumps(_as_json(score, args)) if args.json else _as_text(score, args.model))
    return 0


def _as_text(score: "Score", model: str) -> str:
    return (
        f"{model}: {score.exact} of {score.asked} facts answered exactly ({score.accuracy:.1%});"
        f" {score.false_answers} false answers to {score.absent_asked} questions"
        f" about absent facts ({score.false_rate:.1%})"
    )


def _as_json(score: "Score", args: argparse.Namespace) -> dict[str, object]:
    return {
        "task": "facts",
        "model": args.model,
        "seed": args.seed,
        "asked": score.asked,
        "exact": score.exact,
        "accuracy": score.accuracy,
        "absent_asked": score.absent_asked,
        "false_answers": score.false_answers,
        "false_rate": score.false_rate,
    }


if __name__ == "__main__":
    sys.exit(main())
