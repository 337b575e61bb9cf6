"""What a person sees of a run while it lasts: its progress, and how to go on after Ctrl-C."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.eval.progress import Progress
from app.eval.store import RESULTS, Store


@contextmanager
def watched(program: str, store: Store, costs: Sequence[float], skipped: int) -> Iterator[Progress]:
    """Progress of a run on stderr. `costs` are those of the prompts to do, `skipped` the number of others."""
    if store.damaged:
        lines = "1 damaged line" if store.damaged == 1 else f"{store.damaged} damaged lines"
        print(f"{program}: {lines} of {RESULTS} ignored; their prompts run again", file=sys.stderr)
    if skipped and costs:
        print(f"{program}: going on after {skipped:,} earlier results in {store.folder}", file=sys.stderr)
    progress, before = Progress(program, list(costs), skipped), len(store)
    try:
        yield progress
    except KeyboardInterrupt:
        progress.close()
        print(
            f"{program}: stopped with {skipped + len(store) - before:,} of {progress.total:,} done;"
            " the same command goes on from there",
            file=sys.stderr,
        )
        raise
    finally:
        progress.close()
