"""How far every kernel is from double precision: `python -m tests.qwen2_mlx.kernels.errors` prints the table.

An error is given in steps of the result's type, as wide as at the largest value of the result.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import mlx.core as mx
import numpy as np

from tests.metal_host.host import MetalHost
from tests.metal_host.rounding import DTYPES, EPSILON, as_double
from tests.metal_host.toolchain import Toolchain
from tests.qwen2_mlx.kernels.cases import DECODE, MATVEC, PREFILL, ROTATION, Case

GROUPS: dict[str, Sequence[Case]] = {
    "decode attention": DECODE,
    "prefill attention": PREFILL,
    "quantised matvec": MATVEC,
    "rotation of heads": ROTATION,
}


def steps(case: Case, dtype: mx.Dtype) -> float:
    """The largest error of a case, in steps."""
    reference = case.reference(dtype)
    error = np.abs(as_double(case.run(dtype)) - reference).max()
    return float(error / (EPSILON[dtype] * np.abs(reference).max()))


def table() -> str:
    """All cases as a Markdown table; kernels run where `mx.fast.metal_kernel` has them run."""
    names = [str(dtype).removeprefix("mlx.core.") for dtype in DTYPES]
    lines = [f"| kernel | case | {' | '.join(names)} |", "| --- | --- |" + " --- |" * len(names)]
    for group, cases in GROUPS.items():
        for case in cases:
            cells = " | ".join(f"{steps(case, dtype):.1f}" for dtype in DTYPES)
            lines.append(f"| {group} | {case} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table, from the CPU executor."""
    mx.disable_compile()
    with tempfile.TemporaryDirectory() as folder:
        host = MetalHost(Toolchain(Path(folder)))
        with patch.object(mx.fast, "metal_kernel", host.metal_kernel):
            print(table())


if __name__ == "__main__":
    main()
