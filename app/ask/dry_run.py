"""`qwen2-ask --dry-run`: what a question would take, without loading a model."""

import argparse
from collections.abc import Iterator

from app.ask.answer import Mode
from app.ask.budget import Estimate, estimate, window_tokens
from app.ask.levels.material import Material
from app.ask.levels.pages import ranges_of
from app.ask.library import Library
from app.ask.lines import one_line
from app.ask.planning import Plan, plan_models
from app.ask.progress import Watcher
from app.ask.sources import Sources, read_sources
from app.ask.speeds import Speeds
from app.eval.progress import duration
from qwen2_mlx.prefix_store.settings import size_text


def dry_run(args: argparse.Namespace, library: Library, watcher: Watcher) -> int:
    """Reads and indexes the documents, and prints the plan."""
    plan = plan_models(args)
    sources = read_sources(args.files, args.only, library, watcher)
    sets = plan.cut(sources.files, library, watcher)
    watcher.close()
    speeds = Speeds(library, plan.model, plan.scout)
    mode: Mode = args.mode
    ranges = ranges_of(library, sources.files, args.pages)
    window = window_tokens(plan.sizes, args.window)
    material = Material(library, sources.files, sets, ranges, window, plan.tokenizer.count)
    found = estimate(material, plan.sizes, mode, speeds, args.evidence)
    rows = list(_rows(plan, sources, found, window))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name.ljust(width)}  {value}")
    return 0


def _rows(plan: Plan, sources: Sources, found: Estimate, window: int) -> Iterator[tuple[str, str]]:
    files = sources.files
    characters = sum(file.characters for file in files)
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    yield "documents", f"{count}, {characters:,} characters, {found.tokens:,} tokens"
    yield "windows", f"{found.windows:,} of up to {window:,} tokens"
    yield "model", one_line(plan.model)
    yield "scout", "the same" if plan.scout == plan.model else one_line(plan.scout)
    yield "begins with", found.mode
    yield "time", _time(found.seconds)
    yield "at most", _time(found.longest)
    yield "disk", f"about {size_text(found.disk)} in the library"


def _time(seconds: float | None) -> str:
    return "unknown: not measured on this machine yet" if seconds is None else f"about {duration(seconds)}"
