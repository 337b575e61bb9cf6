"""`qwen2-convert`: a checkpoint of the Qwen2 family becomes an MLX folder, or the other way round."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli
from app.convert import card, flags, verify
from app.convert.reference import path_of

if TYPE_CHECKING:
    from convert.plan import Plan
    from convert.source import Source

PROGRAM = "qwen2-convert"

#: What it does with a folder that is there already.
_TASKS = {"verify": verify, "card": card}


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(argv))


def build_parser() -> cli.Parser:
    """The flags of `qwen2-convert`."""
    parser = cli.Parser(
        prog=PROGRAM,
        description="Writes an MLX model folder from a checkpoint of the Qwen2 family.",
        epilog="qwen2-convert verify FOLDER [--source SRC] checks a folder, and qwen2-convert card FOLDER"
        " --report FILE adds measured numbers to its card; both have a --help of their own.",
    )
    flags.add_flags(parser)
    return parser


def _run(argv: list[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] and argv[0] in _TASKS:
        task = _TASKS[argv[0]]
        parser = cli.Parser(prog=f"{PROGRAM} {argv[0]}", description=task.DESCRIPTION)
        task.add_arguments(parser)
        return task.run(parser.parse_args(argv[1:]))
    parser = build_parser()
    args = parser.parse_args(argv)
    flags.check(parser, args)
    return _convert(args, argv)


def _convert(args: argparse.Namespace, argv: Sequence[str]) -> int:
    from app.convert import budget, calibration, dry_run
    from convert.folder.origin import origin_of
    from convert.folder.upload import check_repository, upload
    from convert.plan import make_plan

    if args.upload_repo:
        check_repository(args.upload_repo)
    source = _open(args)
    origin_of(source.path, source.config, args.base_model)  # so that a bad name is an error now
    recipe = budget.within_budget(PROGRAM, args, source, flags.recipe_of(args))
    layers, texts = None, ""
    if recipe.method in flags.CALIBRATED_METHODS and not args.dry_run:
        layers, texts = calibration.calibrated(source, recipe, args.calibration)
    plan = make_plan(source, recipe, layers)
    _tell_notes(args, source, plan)
    if args.dry_run:
        dry_run.show(plan)
        return 0
    _write(args, argv, source, plan, texts)
    print(f"{args.target}: {plan.weight_bytes / 1e6:,.1f} MB, {plan.bits_per_weight:.2f} bits a weight")
    if args.upload_repo:
        print(f"uploaded to {upload(args.target, args.upload_repo)}")
    return 0


def _open(args: argparse.Namespace) -> "Source":
    from convert.folder.dequantize import open_quantized
    from convert.source import open_source

    path = path_of(args.source)
    return open_quantized(path) if args.dequantize else open_source(path, args.import_dtype)


def _write(args: argparse.Namespace, argv: Sequence[str], source: "Source", plan: "Plan", texts: str) -> None:
    """Carries the plan out, telling how far it is; `texts` is the hash of the calibration text."""
    from app.convert.progress import Progress
    from convert import work_folder
    from convert.conversion import Events, convert
    from convert.folder.finish import finish

    progress = Progress(PROGRAM, plan.weight_bytes)

    def restarted() -> None:
        progress.say("what an earlier conversion of another source or with other settings left is discarded")

    def complete(folder: Path) -> None:
        reference = args.upload_repo or args.target.resolve().name
        library = "transformers" if args.dequantize else "mlx"
        command = (PROGRAM, *map(_without_folders, argv))
        finish(folder, source, plan, reference, command, args.base_model, library=library)

    try:
        events = Events(restarted, progress.found, progress.done)
        convert(source, plan, args.target, events, complete, texts)
    except KeyboardInterrupt:
        if work_folder.path_of(args.target).exists():
            progress.say("interrupted; the same command goes on from here")
        raise
    finally:
        progress.clear()


def _without_folders(argument: str) -> str:
    """An argument as the model card may show it: of a place on this machine only the last part."""
    flag, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    path = Path(value)
    is_local = path.is_absolute() or path.exists() or value.startswith((".", "~"))
    return f"{flag}{equals}{path.name if is_local else value}"


def _tell_notes(args: argparse.Namespace, source: "Source", plan: "Plan") -> None:
    notes = list(source.notes)
    if source.format and args.quantize:
        notes.append("matrices that the source holds quantised keep their codes; -q is for the others")
    wanted = plan.recipe.format
    if wanted and (undivided := plan.undivided):
        smaller = "; a smaller --q-group-size may fit" if wanted.group_size > 32 else ""
        notes.append(
            f"{len(undivided)} layers, {undivided[0]} among them, stay in floating point: their width is no"
            f" multiple of {wanted.group_size}{smaller}"
        )
    for note in notes:
        print(f"{PROGRAM}: {cli.clean(note)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
