"""A budget in bits or bytes is kept, by what quantising each matrix was measured to cost."""

import json
from pathlib import Path

import pytest

from tests.app.programs import Run
from tests.checkpoints import edit_json

CONVERT, QUANT = "qwen2-convert", "qwen2-quant"


@pytest.fixture
def table(checkpoint: Path, run: Run) -> Path:
    text, file = checkpoint.parent / "text.txt", checkpoint.parent / "table.json"
    text.write_text("The harbour master counts the boats that come in. " * 20)
    flags = ("--group-size", 32, "--tokens", 200, "--calibration", text)
    made = run(QUANT, "sensitivity", checkpoint, "-o", file, *flags, "--work", checkpoint.parent / "work")
    assert made.code == 0, made.err
    return file


def weight_bytes(folder: Path) -> int:
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return index["metadata"]["total_size"]


def test_a_budget_is_used_and_never_exceeded(checkpoint: Path, table: Path, run: Run) -> None:
    base = ("--hf-path", checkpoint, "-q", "--q-group-size", 32, "--sensitivity", table)
    bits, size = checkpoint.parent / "bits", checkpoint.parent / "size"
    outcome = run(CONVERT, *base, "--mlx-path", bits, "--target-bpw", 8)
    assert outcome.code == 0, outcome.err
    used = float(outcome.out.split(", ")[1].split()[0])
    assert 7.5 < used <= 8
    assert run(CONVERT, *base, "--mlx-path", size, "--target-size", "20KB").code == 0
    assert 15_000 < weight_bytes(size) <= 20_000
    config = json.loads((size / "config.json").read_text())["quantization"]
    widths = {value["bits"] for value in config.values() if isinstance(value, dict)}
    assert len(widths | {config["bits"]}) > 1


def test_a_budget_can_be_calibrated_too(checkpoint: Path, table: Path, run: Run) -> None:
    target = checkpoint.parent / "out"
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "-q", "--q-group-size", 32,
                  "--method", "gptq", "--calibration", table.with_name("text.txt"), "--sensitivity", table,
                  "--target-size", "20KB")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert weight_bytes(target) <= 20_000


def test_a_budget_without_a_table_measures_first(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_DIR", str(checkpoint.parent / "cache"))
    text = checkpoint.parent / "text.txt"
    text.write_text("The harbour master counts the boats that come in. " * 3)
    target = checkpoint.parent / "out"
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "-q", "--q-group-size", 32,
                  "--calibration", text, "--target-bpw", 8)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "bits a weight" in outcome.out


def test_a_table_of_another_checkpoint_is_refused(checkpoint: Path, table: Path, run: Run) -> None:
    edit_json(checkpoint / "config.json", rope_theta=500000.0)
    run(CONVERT, "--hf-path", checkpoint, "-q", "--target-bpw", 8, "--sensitivity", table).assert_one_line(
        1, "another checkpoint", "qwen2-quant sensitivity"
    )


def test_a_budget_below_the_fewest_bits_is_refused_with_the_numbers(
    checkpoint: Path, table: Path, run: Run
) -> None:
    run(
        CONVERT, "--hf-path", checkpoint, "-q", "--target-size", "1KB", "--sensitivity", table
    ).assert_one_line(1, "too few", "bits a weight")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--target-bpw", "4"], ["--target-bpw", "-q"]),
        (["-q", "--target-bpw", "4", "--q-bits", "4"], ["--q-bits", "leave"]),
        (["-q", "--target-bpw", "4", "--target-size", "1GB"], ["not allowed with"]),
        (["-q", "--sensitivity", "x.json"], ["--sensitivity", "--target-size"]),
        (["-q", "--method", "mxfp4", "--target-bpw", "4"], ["mxfp4"]),
    ],
)
def test_a_budget_with_flags_that_contradict_it_is_a_usage_error(
    flags: list[str], words: list[str], run: Run
) -> None:
    run(CONVERT, "--hf-path", "x", *flags).assert_one_line(2, *words)
