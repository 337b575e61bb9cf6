"""Errors of single matrices, sizes and bits a weight, each against a plain computation."""

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import load_file

from quant.format import Format
from quant.report.matrices import Matrices, matrix_errors
from quant.report.sizes import parameter_count, size_of
from qwen2_mlx.loading import read_config
from tests.quant.report import samples


def test_the_error_of_a_matrix_is_its_root_mean_square(tmp_path: Path) -> None:
    source = samples.original(tmp_path / "original")
    folder = samples.quantised(source, tmp_path / "candidate", Format(3, 32))
    floats, codes = load_file(source / "model.safetensors"), load_file(folder / "model.safetensors")
    errors = matrix_errors(*(Matrices(f, read_config(f)) for f in (source, folder)))
    assert len(errors) == 3 * 7
    for error in errors:
        parts = [mx.array(codes[f"{error.path}.{kind}"]) for kind in ("weight", "scales", "biases")]
        found = np.array(mx.dequantize(*parts, group_size=32, bits=3)).astype(np.float64)
        weight = floats[f"{error.path}.weight"].astype(np.float64)
        expected = np.sqrt(np.square(found - weight).mean() / np.square(weight).mean())
        assert error.error == pytest.approx(expected, rel=1e-4)
        assert error.bits == 3


def test_a_float_candidate_has_no_quantised_matrices(tmp_path: Path) -> None:
    source = samples.original(tmp_path / "original")
    assert matrix_errors(*(Matrices(source, read_config(source)) for _ in range(2))) == []


@pytest.mark.parametrize("config", [samples.CONFIG, samples.MOE])
def test_a_float32_checkpoint_has_32_bits_a_weight(tmp_path: Path, config: dict[str, object]) -> None:
    folder = samples.original(tmp_path / "original", config)
    size = size_of(folder, read_config(folder))
    assert size.bits_per_weight == 32
    assert size.files == (folder / "model.safetensors").stat().st_size
    held = sum(tensor.size for tensor in load_file(folder / "model.safetensors").values())
    assert parameter_count(read_config(folder)) == held
