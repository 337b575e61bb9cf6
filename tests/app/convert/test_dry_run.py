"""`--dry-run` prints what would be written, down to the byte, and writes nothing."""

import re
from pathlib import Path

import pytest

from app.convert import dry_run
from convert import plan as planning
from convert.float_source import open_float
from convert.plan import make_plan
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.memory.limit import size_text
from tests.app.programs import Run
from tests.app.test_broken_conversion import snapshot
from tests.convert.conversions import FOUR_BITS

CONVERT = "qwen2-convert"
FLAGS = ("-q", "--q-bits", 4, "--q-group-size", 32)


def test_nothing_is_written(checkpoint: Path, run: Run) -> None:
    before = snapshot(checkpoint.parent)
    outcome = run(
        CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "a" / "b", *FLAGS, "--dry-run"
    )
    assert outcome.code == 0
    assert snapshot(checkpoint.parent) == before


def test_every_parameter_has_its_line_with_bits_and_size(checkpoint: Path, run: Run) -> None:
    outcome = run(CONVERT, "--hf-path", checkpoint, *FLAGS, "--dry-run")
    plan = make_plan(open_float(checkpoint), FOUR_BITS)
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.startswith("model.")}
    layers = {
        re.sub(r"layers\.\d+", "layers.{0-1}", weight.name) for weight in open_float(checkpoint).weights
    }
    assert lines.keys() == layers
    assert "8 bits, groups of 32" in lines["model.embed_tokens.weight"]
    assert "264 x 32" in lines["model.embed_tokens.weight"]
    down = lines["model.layers.{0-1}.mlp.down_proj.weight"]
    assert "4 bits, groups of 32" in down
    size = sum(
        plan.places[f"model.layers.{layer}.mlp.down_proj.{part}"].nbytes
        for layer in (0, 1)
        for part in ("weight", "scales", "biases")
    )
    assert down.endswith(size_text(size))
    assert "float32" in lines["model.layers.{0-1}.self_attn.q_proj.bias"]


def test_totals_are_those_of_the_plan(checkpoint: Path, run: Run) -> None:
    plan = make_plan(open_float(checkpoint), FOUR_BITS)
    out = run(CONVERT, "--hf-path", checkpoint, *FLAGS, "--dry-run").out
    assert f"{plan.parameters:,} parameters, {size_text(plan.weight_bytes)} in 1 file," in out
    assert f"{plan.bits_per_weight:.2f} bits a weight" in out
    assert "to run it with 512 tokens:" in out


def test_layers_that_differ_have_lines_of_their_own(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SHARD_BYTES", 10_000)
    recipe = Recipe(format=Format(4, 32), layers={"model.layers.1.mlp.up_proj": Format(6, 32)})
    plan = make_plan(open_float(checkpoint), recipe)
    dry_run.show(plan)
    out = capsys.readouterr().out
    assert re.search(r"model\.layers\.0\.mlp\.up_proj\.weight .* 4 bits", out)
    assert re.search(r"model\.layers\.1\.mlp\.up_proj\.weight .* 6 bits", out)
    for file, size in plan.file_bytes().items():
        assert f"{file}  {size_text(size)}" in out


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([0, 1, 2], "{0-2}"), ([0, 2, 3, 7], "{0,2-3,7}"), (list(range(80)), "{0-79}"), ([], "")],
)
def test_layers_are_written_as_ranges(numbers: list[int], text: str) -> None:
    assert dry_run._ranges(numbers) == text
