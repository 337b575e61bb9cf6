"""`qwen2-eval ask`: the document agent and its levels, side by side on generated documents."""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from app import cli
from app.ask import prompts
from app.ask.flags import MAX_TIME, duration
from app.eval import flags, grid
from app.eval.ask.levels import LEVELS
from app.eval.ask.tasks import TASKS

if TYPE_CHECKING:
    from app.eval.ask.run import Result
    from app.eval.engine import Engine
    from app.eval.store import Store

_DEPTHS = [0.0, 25.0, 50.0, 75.0, 100.0]
_LENGTHS = [grid.Length(8192), grid.Length(32768)]


def add_flags(parser: cli.Parser) -> None:
    """The flags of `qwen2-eval ask`."""
    add = parser.add_argument
    flags.add_model_flag(add)
    add("--scout", type=cli.text, default="auto", metavar="REF", help="as for qwen2-ask (default: auto)")
    add("--lengths", type=grid.lengths, default=_LENGTHS, metavar="LIST",
        help="of the documents in tokens, such as 8k,128k,1m (default: 8k,32k)")  # fmt: skip
    add("--depths", type=grid.depths, default=_DEPTHS, metavar="LIST",
        help="where needles stand, in percent of the text (default: 0,25,50,75,100)")  # fmt: skip
    add("--levels", type=_names(LEVELS), default=list(LEVELS), metavar="LIST",
        help=f"some of {','.join(LEVELS)} (default: all)")  # fmt: skip
    add("--tasks", type=_names(TASKS), default=list(TASKS), metavar="LIST",
        help=f"some of {','.join(TASKS)} (default: all)")  # fmt: skip
    add("--repeats", type=cli.positive_int, default=1, metavar="N",
        help="documents of each length (default: 1)")  # fmt: skip
    add("--max-time", type=duration, default=MAX_TIME, metavar="TIME",
        help="for each answer, as for qwen2-ask (default: 5m)")  # fmt: skip
    flags.add_run_flags(add)
    add("-v", "--verbose", action="store_true", help="show every answer that is not right on stderr")


def run(program: str, args: argparse.Namespace) -> int:
    """Asks what is still to ask and reports everything."""
    from app.eval.ask.levels import cost, open_contestant
    from app.eval.ask.report import AskReport
    from app.eval.ask.run import Plan, finished, run, unfinished
    from app.eval.ask.setup import Setup
    from app.eval.engine import Engine
    from app.eval.watch import watched

    engine = Engine(args.model, args.memory_limit)
    lengths = sorted({length.tokens(engine.config.trained_length) for length in args.lengths})
    plan = Plan(args.levels, args.tasks, lengths, args.depths, args.repeats, args.seed)
    setup = Setup(args.model, args.scout, args.memory_limit, max_time=args.max_time)
    with _open_store(args, engine) as store:
        costs = [cost(cell.level, cell.length) for cell in unfinished(plan, store)]
        with watched(program, store, costs, len(finished(plan, store))) as progress:
            run(
                plan,
                engine.tokenizer,
                lambda level, place, on_share: open_contestant(level, setup, place, on_share),
                store,
                progress,
            )
        results = finished(plan, store)
        report = AskReport(_settings(args, lengths, engine), results)
        report.write(store.folder)
    if args.verbose:
        _show_wrong(results)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else report.as_text())
    print(f"{program}: files in {store.folder}", file=sys.stderr)
    return 0


def _open_store(args: argparse.Namespace, engine: "Engine") -> "Store":
    """The results of these settings so far; the prompts of all roles belong to the settings."""
    from app.eval.ask.run import FIELDS

    parameters = {
        "depths": args.depths,
        "scout": args.scout,
        "max_time": args.max_time,
        "prompts": _prompts(),
    }
    return flags.open_store(args, "ask", parameters, engine, FIELDS)


def _prompts() -> str:
    """A hash of the prompts of all roles."""
    texts = sorted((p.name, p.read_text()) for p in files(prompts).iterdir() if p.name.endswith(".txt"))
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:12]


def _settings(args: argparse.Namespace, lengths: Sequence[int], engine: "Engine") -> dict[str, Any]:
    return {
        "task": "ask",
        "model": args.model,
        "scout": args.scout,
        "trained_length": engine.config.trained_length,
        "seed": args.seed,
        "lengths": list(lengths),
        "depths": args.depths,
        "repeats": args.repeats,
        "max_time": args.max_time,
    }


def _show_wrong(results: "Sequence[Result]") -> None:
    for result in results:
        if result.score < 100:
            right = "; or ".join(result.expected) or "not in the document"
            print(
                cli.clean(
                    f"{result.mode} {result.id}: {result.question}\n"
                    f"  right: {right} (pages {result.pages})\n"
                    f"  said:  {result.answer} (pages {result.cited_pages}, {result.status})"
                    + "".join(f"\n  {line}" for line in result.trail)
                ),
                file=sys.stderr,
            )


def _names(known: Sequence[str]) -> Any:
    def names(text: str) -> list[str]:
        """An argparse type: some of the known names, in their order."""
        given = text.split(",")
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
        return [name for name in known if name in given]

    return names
