"""The memory of a conversion does not grow with the model."""

import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import pytest

from convert.safetensors_file import header_bytes
from tests.checkpoints import DENSE, write_checkpoint
from tests.golden.weights import tensor_shapes

ROOT = Path(__file__).resolve().parents[2]

#: 8 million parameters in the embedding and 15 million in the layers, or many times as many.
SMALL: dict[str, Any] = {
    **DENSE, "hidden_size": 1024, "intermediate_size": 4096, "vocab_size": 8192, "num_hidden_layers": 1,
    "num_attention_heads": 8, "torch_dtype": "bfloat16",
}  # fmt: skip
LARGE = {**SMALL, "vocab_size": 65536, "num_hidden_layers": 4}

MOST_ABOVE_IMPORT = 300e6
MOST_GROWTH = 40e6

_CONVERT = """
import resource, sys
from pathlib import Path
from tests.convert import conversions
from quant.format import Format
from quant.recipe import Recipe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source, target, method = sys.argv[1:]
conversions.convert_folder(Path(source), Path(target), Recipe(format=Format(4, 64), method=method))
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_zeros(folder: Path, config: dict[str, Any]) -> Path:
    """A checkpoint whose weights are a hole in its file: nothing is written, all of it is read."""
    write_checkpoint(folder, config={**DENSE, "num_hidden_layers": 1})
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {name: ("bfloat16", shape, 2 * prod(shape)) for name, shape in tensor_shapes(config).items()}
    header = header_bytes(shapes, {"format": "pt"})
    with (folder / "model.safetensors").open("wb") as file:
        file.write(header)
        file.truncate(len(header) + sum(size for _, _, size in shapes.values()))
    return folder


def peak(source: Path, target: Path, method: str) -> tuple[float, float]:
    """Bytes that a process held before a conversion, and at most in it."""
    done = subprocess.run(
        [sys.executable, "-c", _CONVERT, source, target, method],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    unit = 1 if sys.platform == "darwin" else 1024
    before, after = (int(word) * unit for word in done.stdout.split())
    return before, after


@pytest.mark.parametrize("method", ["round", "fit"])
def test_memory_stays_flat(method: str, tmp_path: Path) -> None:
    small = write_zeros(tmp_path / "small", SMALL)
    large = write_zeros(tmp_path / "large", LARGE)
    assert (large / "model.safetensors").stat().st_size > 5 * (small / "model.safetensors").stat().st_size
    before, at_small = peak(small, tmp_path / "small-out", method)
    _, at_large = peak(large, tmp_path / "large-out", method)
    assert at_large - before < MOST_ABOVE_IMPORT
    assert at_large - at_small < MOST_GROWTH
