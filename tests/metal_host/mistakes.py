"""A small kernel, and the mistakes one can make in it: what every check of this folder has to notice."""

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from .errors import (
    CompileError,
    DataRaceError,
    HangError,
    LaunchError,
    OutOfBoundsError,
    UndefinedBehaviourError,
)
from .host import MetalHost

THREADS, GROUPS = 64, 2

#: Each group of 64 elements backwards, plus the sum of the element's 32 neighbours.
KERNEL = """
    threadgroup float held[64];
    uint i = thread_position_in_grid.x;
    uint lid = thread_position_in_threadgroup.x;
    held[lid] = x[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = simd_sum(x[i]);
    out[i] = held[63 - lid] + sum;
"""

Expected = type[Exception]


@dataclass(frozen=True)
class Mistake:
    """`old` in the kernel becomes `new`; the way that is sure to notice it, and how it says so."""

    name: str
    old: str
    new: str
    way: str
    error: Expected
    says: str = ""

    def source(self) -> str:
        assert self.old in KERNEL
        return KERNEL.replace(self.old, self.new, 1)


BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
SUM = "simd_sum(x[i])"
OUT = "out[i] = held[63 - lid] + sum;"
HOLD = "held[lid] = x[i];"

MISTAKES = [
    Mistake("no barrier between writing and reading", BARRIER, "", "races", DataRaceError, "kernel:5"),
    Mistake(
        "a barrier that orders no memory",
        "mem_flags::mem_threadgroup",
        "mem_flags::mem_none",
        "races",
        DataRaceError,
    ),
    Mistake(
        "no barrier before writing again", OUT, OUT + " held[lid] = 0;", "races", DataRaceError, "kernel:8"
    ),
    Mistake(
        "threadgroups that write the same element", "out[i]", "out[lid]", "races", DataRaceError, "kernel:8"
    ),
    Mistake(
        "a sum of all threads without atomics", OUT, OUT + " out[0] += 1;", "races", DataRaceError, "kernel:8"
    ),
    Mistake(
        "a read behind the end of a buffer", SUM, "simd_sum(x[i + 1])", "bounds", OutOfBoundsError, "kernel:7"
    ),
    Mistake(
        "a write behind the end of a buffer", "out[i]", "out[i + 1]", "bounds", OutOfBoundsError, "kernel:8"
    ),
    Mistake(
        "a read in front of a buffer", SUM, "simd_sum(x[int(i) - 1])", "bounds", OutOfBoundsError, "kernel:7"
    ),
    Mistake(
        "a threadgroup array that is too small",
        "held[64]",
        "held[63]",
        "bounds",
        OutOfBoundsError,
        "kernel:5",
    ),
    Mistake(
        "a pointer behind the end of a threadgroup array",
        "held[63 - lid]",
        "*(&held[63 - lid] + 1)",
        "bounds",
        OutOfBoundsError,
        "kernel:8",
    ),
    Mistake(
        "a thread's own array that is too small",
        SUM,
        "x[i]; float own[2]; for (uint k = 0; k <= 2; k++) own[k] = sum; sum = simd_sum(own[lid % 2])",
        "bounds",
        OutOfBoundsError,
        "kernel:7",
    ),
    Mistake(
        "a vector that is read where none can be",
        "float sum =",
        "float first = reinterpret_cast<const device float4*>(x + 1)->x; float sum = 0 * first +",
        "bounds",
        UndefinedBehaviourError,
        "kernel:7",
    ),
    Mistake(
        "an integer that overflows",
        "float sum =",
        "int big = 2147483000 + int(lid) * 100; float sum = (big == 7) +",
        "bounds",
        UndefinedBehaviourError,
        "kernel:7",
    ),
    Mistake(
        "threadgroup memory that nobody wrote",
        HOLD,
        "if (lid != 9) " + HOLD,
        "forward",
        AssertionError,
        "not finite",
    ),
    Mistake(
        "an element of the output that nobody wrote",
        OUT,
        "if (i != 9) " + OUT,
        "forward",
        AssertionError,
        "not finite",
    ),
    Mistake(
        "a variable that nobody set",
        SUM,
        SUM + "; float unset[2]; sum += unset[lid % 2]",
        "forward",
        AssertionError,
    ),
    Mistake(
        "a shuffle from a lane that does not exist",
        "simd_sum(x[i])",
        "simd_sum(x[i]) + 0 * simd_shuffle_down(x[i], 1)",
        "forward",
        AssertionError,
        "not finite",
    ),
    Mistake(
        "a return before a collective",
        HOLD,
        "if (lid == 40) return; " + HOLD,
        "forward",
        LaunchError,
        "63 thread(s) from thread 0 on",
    ),
    Mistake(
        "a barrier in a branch",
        BARRIER,
        "if (lid < 40) " + BARRIER,
        "forward",
        LaunchError,
        "40 thread(s) from thread 0 on wait at threadgroup_barrier (kernel:6)",
    ),
    Mistake(
        "different barriers in two branches",
        BARRIER,
        f"if (lid < 32) {{ {BARRIER} }}\n else {BARRIER}",
        "forward",
        LaunchError,
        "different barriers",
    ),
    Mistake(
        "a return before a barrier",
        BARRIER,
        "if (lid == 5) return; " + BARRIER,
        "forward",
        LaunchError,
        "have returned",
    ),
    Mistake(
        "a collective in a branch",
        "float sum = " + SUM,
        "float sum = lid % 2 ? 0.0f : " + SUM,
        "forward",
        LaunchError,
    ),
    Mistake(
        "different collectives in two branches",
        SUM,
        "lid % 2 ? simd_max(x[i]) : simd_sum(x[i])",
        "forward",
        LaunchError,
        "simd_max (kernel:7)",
    ),
    Mistake(
        "more than 32 KiB of threadgroup memory",
        HOLD,
        HOLD + " threadgroup float much[8192]; much[lid] = 0;",
        "forward",
        LaunchError,
        "256 bytes are in use and 32768 more are declared; the limit is 32768",
    ),
    Mistake(
        "a loop without an end",
        "float sum",
        "for (volatile int k = 0; k >= 0;) {} float sum",
        "forward",
        HangError,
    ),
    Mistake(
        "a float stored as bfloat without a cast",
        "float sum =",
        "bfloat16_t narrow = 1.5f; float sum = 0 * narrow +",
        "forward",
        CompileError,
        "kernel:7",
    ),
]


def assert_is_right(host: MetalHost, source: str = KERNEL) -> None:
    """Runs the kernel. Raises `MetalHostError` or `AssertionError`."""
    values = np.arange(THREADS * GROUPS, dtype=np.float32) % 50
    kernel = host.metal_kernel("kernel", ["x"], ["out"], source)
    (out,) = kernel(
        inputs=[mx.array(values)],
        output_shapes=[values.shape],
        output_dtypes=[mx.float32],
        grid=(values.size, 1, 1),
        threadgroup=(THREADS, 1, 1),
    )
    groups = values.reshape(GROUPS, THREADS)[:, ::-1].reshape(-1)
    expected = groups + values.reshape(-1, 32).sum(axis=1).repeat(32)
    result = np.array(out)
    assert np.isfinite(result).all(), f"{np.count_nonzero(~np.isfinite(result))} results are not finite"
    assert (result == expected).all(), f"{np.count_nonzero(result != expected)} results are wrong"
