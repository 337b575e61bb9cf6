"""`qwen2-eval needle` and its like: tasks over lengths and depths, in one or more modes."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app import cli
from app.eval import flags, grid
from app.eval.catalogue import GridTask

if TYPE_CHECKING:
    from app.eval.run import Result
    from qwen2_mlx.config import ModelConfig


def add_flags(parser: cli.Parser, task: GridTask) -> None:
    """The flags of one task."""
    add = parser.add_argument
    flags.add_model_flag(add)
    if task.has_lengths:
        add("--lengths", type=grid.lengths, metavar="LIST",
            help="prompt lengths in tokens, such as 384,8k,1m, or 2T for twice the trained one")  # fmt: skip
        add("--grid", choices=grid.GRIDS, default="quick",
            help="lengths and depths where they are not given: quick is 4 x 5, standard 16 x 11,"
            " agent standard and three lengths beyond (default: quick)")  # fmt: skip
    if task.has_depths:
        add("--depths", type=grid.depths, metavar="LIST", help="where facts stand, in percent of the text")
    task.add_flags(add)
    flags.add_mode_flags(add)
    flags.add_run_flags(add)
    add("-v", "--verbose", action="store_true", help="show every answer that is not right on stderr")


def run(program: str, task: GridTask, args: argparse.Namespace) -> int:
    """Measures what is still to do and reports everything."""
    from app.eval.engine import Engine
    from app.eval.progress import prompt_cost
    from app.eval.report.grid import GridReport
    from app.eval.run import FIELDS, finished, run, unfinished
    from app.eval.watch import watched

    engine = Engine(args.model, args.memory_limit)
    lengths = _lengths(args, engine.config) if task.has_lengths else []
    depths = (args.depths or grid.default_depths(args.grid)) if task.has_depths else []
    tasks = task.make(args, lengths, depths, engine.tokenizer)
    modes = flags.chosen_modes(args, engine, max(cell.length for part in tasks for cell in part.cells()))
    parameters = {name: {**vars(args), "depths": depths}[name] for name in task.parameters}
    with flags.open_store(args, task.name, parameters, engine, FIELDS) as store:
        costs = [prompt_cost(engine.config, cell.length) for _, _, cell in unfinished(tasks, modes, store)]
        with watched(program, store, costs, len(finished(tasks, modes, store))) as progress:
            run(tasks, modes, engine, store, progress)
        results = finished(tasks, modes, store)
        settings = {
            "task": task.name,
            "model": args.model,
            "trained_length": engine.config.trained_length,
            "seed": args.seed,
            "parameters": parameters,
        }
        report = GridReport(settings, modes, results, task.weights(), task.summary)
        report.write(store.folder)
    if args.verbose:
        _show_wrong(results)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else report.as_text())
    print(f"{program}: files in {store.folder}", file=sys.stderr)
    return 0


def _lengths(args: argparse.Namespace, config: "ModelConfig") -> list[int]:
    if args.lengths:
        return sorted({length.tokens(config.trained_length) for length in args.lengths})
    return grid.default_lengths(args.grid, [config.with_rope(rope) for rope in args.rope or ["auto"]])


def _show_wrong(results: "Sequence[Result]") -> None:
    for result in results:
        if result.score < 100:
            print(
                cli.clean(
                    f"{result.mode} {result.id}: {result.score:.0f}\n"
                    f"  right: {'; '.join(result.expected)}\n  said:  {result.answer}"
                ),
                file=sys.stderr,
            )
