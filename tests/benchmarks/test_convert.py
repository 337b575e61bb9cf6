"""The benchmark runs both programs on one checkpoint; its timings are never tested."""

from pathlib import Path

import pytest

from benchmarks import convert


def test_both_programs_run_and_write_the_same_bytes(tmp_path: Path) -> None:
    (result,) = convert.compare("tiny", ["round"], pairs=1, work=tmp_path)
    assert result.compared > 20
    assert min(result.ours.seconds, result.mlx_lm.seconds, result.ours.peak, result.mlx_lm.peak) > 0
    assert not list(tmp_path.iterdir())


def test_a_difference_ends_the_benchmark(tmp_path: Path) -> None:
    folders = [convert.make_checkpoint(tmp_path / name, convert.SHAPES["tiny"]) for name in ("one", "other")]
    assert convert.same_tensors(*folders) > 20
    file = folders[1] / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(SystemExit, match="differs"):
        convert.same_tensors(*folders)


def test_a_program_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="no such flag"):
        convert.measure(["sh", "-c", "echo no such flag; exit 3"])
