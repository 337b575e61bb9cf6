"""What a person sees of a measurement while it lasts, and how to go on after Ctrl-C."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.eval.progress import Progress


@contextmanager
def watched(program: str, costs: Sequence[float], skipped: int) -> Iterator[Progress]:
    """Progress on stderr. `costs` are those of what is to do, `skipped` the number of earlier results."""
    if skipped and costs:
        print(f"{program}: going on after {skipped:,} earlier results", file=sys.stderr)
    progress = Progress(program, list(costs), skipped)
    try:
        yield progress
    except KeyboardInterrupt:
        progress.close()
        print(
            f"{program}: stopped with {progress.done:,} of {progress.total:,} done;"
            " the same command goes on from there",
            file=sys.stderr,
        )
        raise
    finally:
        progress.close()
