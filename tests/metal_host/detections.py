"""Which way of running a kernel notices which mistake: `python -m tests.metal_host.detections` prints the
table of README.md."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import mlx.core as mx

from .errors import (
    CompileError,
    CrashError,
    DataRaceError,
    HangError,
    LaunchError,
    OutOfBoundsError,
    UndefinedBehaviourError,
)
from .host import MetalHost
from .mistakes import MISTAKES, assert_is_right
from .mutation import Trial, hosts, noticed
from .shipped_mutants import (
    ordering_barriers,
    sdpa_vector,
    split_steel_attention,
    steel_attention,
    steel_barriers,
)
from .shipped_trials import sdpa_vector_kernel
from .toolchain import Toolchain, user_folder

WORDS: Mapping[type[Exception], str] = {
    AssertionError: "results",
    CompileError: "compiler",
    CrashError: "crash",
    DataRaceError: "race",
    HangError: "no end",
    LaunchError: "launch",
    OutOfBoundsError: "bounds",
    UndefinedBehaviourError: "undefined",
}


def cases() -> Iterator[tuple[str, Trial, str]]:
    """What is wrong, the run that must notice it, and the source that it is in."""
    for mistake in MISTAKES:
        yield mistake.name, assert_is_right, mistake.source()
    steel = steel_barriers()
    for mutant in ordering_barriers(sdpa_vector_kernel(mx.float16)):
        yield f"MLX's `sdpa_vector` without its barrier in line {mutant.line}", sdpa_vector, mutant.source
    for mutant in steel.needed:
        yield (
            f"MLX's steel attention without its barrier in line {mutant.line}",
            steel_attention,
            mutant.source,
        )
    for mutant in steel.exchange:
        yield (
            f"MLX's steel attention without its barrier in line {mutant.line}",
            split_steel_attention,
            mutant.source,
        )


def table(host: MetalHost) -> str:
    """A Markdown table with a row for each mistake and a column for each way of running."""
    ways = hosts(host, timeout=20.0)
    lines = [["mistake", *ways], ["---"] * (len(ways) + 1)]
    for name, trial, source in cases():
        limit = partial(replace, timeout=2.0) if "without an end" in name else lambda host: host
        cells = [_word(noticed(trial, source, limit(way))) for way in ways.values()]
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _word(error: Exception | None) -> str:
    return WORDS[type(error)] if error else "–"


if __name__ == "__main__":
    print(table(MetalHost(Toolchain(user_folder()))), end="")
