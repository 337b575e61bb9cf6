"""`qwen2-ask --index-only`: reads and indexes documents, so that later questions begin at once."""

import argparse

from app.ask.library import Library
from app.ask.planning import plan_models
from app.ask.progress import Watcher
from app.ask.sources import read_sources


def index(args: argparse.Namespace, library: Library, watcher: Watcher) -> int:
    """Indexes for the tokenizer of the model that the flags name, without loading the model."""
    plan = plan_models(args)
    sources = read_sources(args.files, args.only, library, watcher)
    sets = plan.cut(sources.files, library, watcher)
    watcher.close()
    count = "1 document" if len(sets) == 1 else f"{len(sets):,} documents"
    print(f"{count} indexed, {library.tokens(sets):,} tokens")
    return 0
