"""Launches a compiled kernel in a process of its own, and says what went wrong.

A process of its own is what the sanitizers need, and no kernel can crash, corrupt or hang the tests.
"""

import ctypes
import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from .complaints import complaint
from .errors import HangError, LaunchError
from .toolchain import Check, Toolchain, fixed_addresses

#: The order in which threads, threadgroups and the terms of reductions are taken.
Order = Literal["forward", "reversed", "random"]
_ORDERS: dict[Order, int] = {"forward": 0, "reversed": 1, "random": 2}

#: `Launch` and `Report` of runtime/host.h.
_LAUNCH = struct.Struct("<6qQq")
_REPORT = struct.Struct("<3Qq1000s")

_SANITIZER_OPTIONS = {
    "TSAN_OPTIONS": "halt_on_error=1:report_thread_leaks=0",
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@dataclass(frozen=True)
class Size:
    """The threads of a launch."""

    grid: tuple[int, int, int]
    threadgroup: tuple[int, int, int]


@dataclass(frozen=True)
class Counts:
    """What a launch did: rendezvous of threadgroups and of simdgroups, and the bytes a threadgroup shares."""

    barriers: int
    collectives: int
    threadgroup_bytes: int


@dataclass(frozen=True)
class Buffer:
    """An argument of a kernel, of any strides. An output is contiguous and receives what was written."""

    array: np.ndarray
    output: bool = False


@dataclass(frozen=True)
class Way:
    """How a kernel is run; `seed` makes the random order. `timeout` is in seconds."""

    order: Order
    seed: int
    check: Check
    timeout: float


def launch(
    toolchain: Toolchain, library: Path, buffers: Sequence[Buffer | None], size: Size, way: Way
) -> Counts:
    """Runs the kernel of `library` and fills the outputs among `buffers`, where None is a null pointer.

    Raises `MetalHostError`.
    """
    if min(*size.grid, *size.threadgroup) < 1:
        raise LaunchError(f"an empty launch: grid {size.grid}, threadgroup {size.threadgroup}")
    with tempfile.TemporaryDirectory(prefix="metal-host-") as folder:
        request, answer = Path(folder) / "request", Path(folder) / "answer"
        _write_request(
            request, buffers, _LAUNCH.pack(*size.grid, *size.threadgroup, way.seed, _ORDERS[way.order])
        )
        command = [str(toolchain.runner(way.check)), str(library), str(request), str(answer)]
        _run(command if way.check == "values" else [*fixed_addresses(), *command], way.timeout)
        return _read_answer(answer, buffers)


def _write_request(path: Path, buffers: Sequence[Buffer | None], header: bytes) -> None:
    with path.open("wb") as file:
        file.write(header + struct.pack("<q", len(buffers)))
        for buffer in buffers:
            if buffer is None:
                file.write(struct.pack("<2q", 0, -1))
                continue
            low, high = np.lib.array_utils.byte_bounds(buffer.array)
            file.write(struct.pack("<2q", high - low, buffer.array.ctypes.data - low))
            file.write(ctypes.string_at(low, high - low))


def _read_answer(path: Path, buffers: Sequence[Buffer | None]) -> Counts:
    with path.open("rb") as file:
        barriers, collectives, threadgroup_bytes, failed, message = _REPORT.unpack(file.read(_REPORT.size))
        if failed:
            raise LaunchError(message.split(b"\0")[0].decode(errors="replace"))
        for buffer in filter(None, buffers):
            low, high = np.lib.array_utils.byte_bounds(buffer.array)
            memory = file.read(high - low)
            if buffer.output:
                buffer.array.reshape(-1).view(np.uint8)[:] = np.frombuffer(memory, np.uint8)
    return Counts(barriers, collectives, threadgroup_bytes)


def _run(command: list[str], timeout: float) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **_SANITIZER_OPTIONS},
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HangError(f"the kernel did not end within {timeout:g} s") from error
    if done.returncode:
        raise complaint(done.returncode, done.stderr)
