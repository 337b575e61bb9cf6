"""Time and peak memory of a conversion beside `mlx_lm.convert`, as whole processes on one checkpoint.

    python -m benchmarks.convert [--shapes 0.5b 1.5b moe] [--methods round fit] [--pairs 3]

Each pair runs both programs one after the other, in alternating order, so that a machine whose
speed drifts treats them alike; a ratio is the median over the pairs, and below 1 means that
this converter needs less. The checkpoints are random bfloat16 numbers in official shapes
(`moe`: the 57B-A14B's experts and layers, narrower and fewer). With `round` every tensor that both
programs give the same settings is compared byte by byte: a difference ends the benchmark.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.sizes import OFFICIAL
from convert.safetensors_file import StoredTensor, header_bytes, stored_tensors
from tests.checkpoints import DENSE, MOE, write_checkpoint
from tests.golden.weights import tensor_shapes

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": DENSE | {"hidden_size": 64, "torch_dtype": "bfloat16"},
    "tiny-moe": MOE
    | {
        "hidden_size": 64,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "0.5b": OFFICIAL["0.5b"],
    "1.5b": OFFICIAL["1.5b"],
    "moe": OFFICIAL["57b-a14b"]
    | {
        "hidden_size": 896,
        "num_hidden_layers": 6,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4736,
        "moe_intermediate_size": 640,
        "shared_expert_intermediate_size": 5120,
    },
}
METHODS = ("round", "fit")

_OURS = "import sys; from app.convert.command import main; sys.exit(main())"
_ROOT = Path(__file__).resolve().parents[1]
_PIECE = 2**22  # random numbers made at a time
_COMPARED_BYTES = 2**24


@dataclass(frozen=True)
class Run:
    """A whole process: wall-clock seconds, and the most bytes it held."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class Result:
    """Medians of both programs, and medians of the paired ratios, ours to mlx-lm's."""

    shape: str
    method: str
    ours: Run
    mlx_lm: Run
    time_ratio: float
    memory_ratio: float
    compared: int


def make_checkpoint(folder: Path, config: dict[str, Any]) -> Path:
    """Writes a random bfloat16 checkpoint for `config` with a small tokenizer."""
    write_checkpoint(folder, DENSE)
    (folder / "config.json").write_text(json.dumps(config))
    shapes = tensor_shapes(config)
    generator = np.random.default_rng(0)
    described = {name: ("bfloat16", shape, 2 * prod(shape)) for name, shape in shapes.items()}
    with (folder / "model.safetensors").open("wb") as file:
        file.write(header_bytes(described, {"format": "pt"}))
        for shape in shapes.values():
            for start in range(0, prod(shape), _PIECE):
                numbers = generator.standard_normal(min(_PIECE, prod(shape) - start), np.float32) * 0.05
                file.write((numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    return folder


def compare(shape: str, methods: Sequence[str], pairs: int, work: Path) -> list[Result]:
    """Paired runs of both programs on one checkpoint."""
    source = make_checkpoint(work / shape, SHAPES[shape])
    try:
        return [_compare(shape, method, pairs, source, work) for method in methods]
    finally:
        shutil.rmtree(source)


def _compare(shape: str, method: str, pairs: int, source: Path, work: Path) -> Result:
    flags = ["--hf-path", str(source), "-q", "--q-bits", "4", "--q-group-size", "64", "--mlx-path"]
    commands = {
        "ours": [sys.executable, "-c", _OURS, *flags, "", "--method", method],
        "mlx-lm": [sys.executable, "-m", "mlx_lm", "convert", *flags, ""],
    }
    runs: list[dict[str, Run]] = []
    compared = 0
    for number in range(pairs):
        measured = {}
        for name in sorted(commands, reverse=number % 2 == 0):
            target = work / name
            measured[name] = measure([word or str(target) for word in commands[name]])
        if method == "round":
            compared = same_tensors(work / "ours", work / "mlx-lm")
        for name in commands:
            shutil.rmtree(work / name)
        runs.append(measured)
    ours, peer = [run["ours"] for run in runs], [run["mlx-lm"] for run in runs]
    return Result(
        shape,
        method,
        _median(ours),
        _median(peer),
        time_ratio=statistics.median(a.seconds / b.seconds for a, b in zip(ours, peer, strict=True)),
        memory_ratio=statistics.median(a.peak / b.peak for a, b in zip(ours, peer, strict=True)),
        compared=compared,
    )


def measure(command: Sequence[str]) -> Run:
    """Runs a program to its end, which must be a good one."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(output.read().decode(errors="replace"))
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes on Linux
    return Run(seconds, usage.ru_maxrss * unit)


def same_tensors(ours: Path, theirs: Path) -> int:
    """The number of tensors in modules with equal settings in both folders, whose bytes must be equal."""
    mine, others = stored_tensors(ours), stored_tensors(theirs)
    equal = {name.rpartition(".")[0] for name in mine if name.endswith(".weight") and name in others}
    equal = {path for path in equal if _form(mine, path) == _form(others, path)}
    compared = [name for name in mine if name.rpartition(".")[0] in equal]
    for name in compared:
        if not _same_bytes(mine[name], others[name]):
            raise SystemExit(f"{name} differs from mlx-lm's")
    if len(compared) < len(mine) // 2:
        raise SystemExit("the programs write different tensors; nothing to compare")
    return len(compared)


def _form(tensors: Mapping[str, StoredTensor], path: str) -> list[tuple[str, tuple[int, ...]] | None]:
    """Type and shape of a module's parts, which tell how it is quantised."""
    parts = (tensors.get(f"{path}.{part}") for part in ("weight", "scales", "biases", "bias"))
    return [(part.dtype, part.shape) if part else None for part in parts]


def _same_bytes(one: StoredTensor, other: StoredTensor) -> bool:
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.offset)
        second.seek(other.offset)
        for start in range(0, one.nbytes, _COMPARED_BYTES):
            count = min(_COMPARED_BYTES, one.nbytes - start)
            if first.read(count) != second.read(count):
                return False
    return True


def _median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(run.seconds for run in runs), int(statistics.median(run.peak for run in runs))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=("0.5b", "1.5b", "moe"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--pairs", type=int, default=3, help="paired runs")
    parser.add_argument("--work", type=Path, help="folder for checkpoints and results (default: temporary)")
    args = parser.parse_args()

    print(f"{'':16}{'seconds':>26}{'peak memory, MB':>28}{'tensors':>12}")
    columns = f"{'ours':>9}{'mlx-lm':>9}{'ratio':>8}"
    print(f"{'':16}{columns}  {columns}{'identical':>12}")
    results = []
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        for shape in args.shapes:
            for result in compare(shape, args.methods, args.pairs, Path(work)):
                results.append(result)
                ours, peer = result.ours, result.mlx_lm
                print(
                    f"{shape + ' ' + result.method:16}"
                    f"{ours.seconds:9.2f}{peer.seconds:9.2f}{result.time_ratio:8.2f}"
                    f"{ours.peak / 1e6:11.0f}{peer.peak / 1e6:9.0f}{result.memory_ratio:8.2f}"
                    f"{result.compared or '':>12}",
                    flush=True,
                )
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
