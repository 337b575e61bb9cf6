"""`qwen2-eval facts`: exact answers about facts in a text, and made-up ones about absent facts."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli
from app.eval import flags

if TYPE_CHECKING:
    from app.eval.facts import Score


def add_flags(parser: cli.Parser) -> None:
    """The flags of `qwen2-eval facts`."""
    add = parser.add_argument
    flags.add_model_flag(add)
    add("-n", "--questions", type=cli.positive_int, default=500, metavar="N", help="questions of each kind")
    add("--seed", type=cli.non_negative_int, default=0, metavar="N", help="first document (default: 0)")
    add("--json", action="store_true", help="print one JSON object")
    add("-v", "--verbose", action="store_true", help="show every wrong answer on stderr")


def run(program: str, args: argparse.Namespace) -> int:
    """Asks all questions and prints the score."""
    from app.eval.facts import Score, evaluate
    from qwen2_mlx.loading import load

    model, tokenizer = load(args.model)
    score = Score()
    for score in evaluate(model, tokenizer, args.questions, args.seed):
        if sys.stderr.isatty():
            count = f"{score.asked} of {args.questions} questions"
            print(f"\r{program}: {count}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if args.verbose:
        for question, answer in score.wrong:
            shown = f"{question.text}\n  right: {question.answer}\n  said:  {answer}"
            print(cli.clean(shown), file=sys.stderr)
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
