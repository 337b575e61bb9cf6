"""`qwen2-quant sensitivity` as people run it, and what its table is good for."""

from pathlib import Path
from typing import Any

import pytest

from convert.plan import make_plan
from convert.source import open_source
from quant.allocate import allocate
from quant.format import Format
from quant.recipe import Recipe
from quant.report.table import read_table
from tests.app.programs import Run
from tests.quant.report import samples

QUANT = "qwen2-quant"


def test_the_table_serves_an_allocation(run: Run, tmp_path: Path, original: Path, text: Path) -> None:
    path = tmp_path / "table.json"
    flags = ("--bits", 2, 4, "--group-size", 32, "--calibration", text)
    done = run(QUANT, "sensitivity", original, *flags, "-o", path)
    assert done.code == 0, done.err
    assert "model.embed_tokens" in done.out
    table = read_table(path)
    assert len(table.modules) == 22
    assert {format.bits for module in table.modules.values() for format in module.kl} == {2, 4}
    formats = allocate(table, table.bytes_at(4.9))
    assert table.bytes_of(formats) <= table.bytes_at(4.9)
    assert {format.bits for format in formats.values() if format} == {2, 4}


def test_the_bundled_texts_serve_where_none_is_given(run: Run, tmp_path: Path, original: Path) -> None:
    flags = ("--bits", 4, "--group-size", 64, "--tokens", 100, "--context", 100)
    done = run(QUANT, "sensitivity", original, *flags, "-o", tmp_path / "table.json")
    assert done.code == 0, done.err
    assert read_table(tmp_path / "table.json").tokens < 200


def test_a_second_run_measures_nothing_again(run: Run, tmp_path: Path, original: Path, text: Path) -> None:
    command = (QUANT, "sensitivity", original, "--bits", 4, "--calibration", text, "-o", tmp_path / "t.json")
    assert "done |" in run(*command).err
    assert "done |" not in run(*command).err


def test_a_quantised_model_is_one_line(run: Run, tmp_path: Path, four_bits: Path, text: Path) -> None:
    done = run(QUANT, "sensitivity", four_bits, "--calibration", text, "-o", tmp_path / "t.json")
    done.assert_one_line(1, "quantised already")
    assert not (tmp_path / "t.json").exists()


def test_a_text_of_one_token_is_one_line(run: Run, tmp_path: Path, original: Path) -> None:
    (tmp_path / "one.txt").write_text("a", encoding="utf-8")
    done = run(
        QUANT, "sensitivity", original, "--calibration", tmp_path / "one.txt", "-o", tmp_path / "t.json"
    )
    done.assert_one_line(1, "too short to measure")


@pytest.mark.parametrize("place", [".", "/", ""])
def test_a_folder_is_no_place_for_a_table(run: Run, original: Path, place: str) -> None:
    done = run(QUANT, "sensitivity", original, "-o", place)
    assert done.code == 2
    assert "must name a file, not a folder" in done.err


def test_a_file_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path, text: Path) -> None:
    folder = samples.original(tmp_path / "small", {**samples.CONFIG, "num_hidden_layers": 1})
    path = tmp_path / "missing" / "t.json"
    done = run(QUANT, "sensitivity", folder, "--bits", 4, "--calibration", text, "-o", path)
    assert done.code == 1
    assert "missing" in done.err.splitlines()[-1]


@pytest.mark.parametrize("config", [samples.CONFIG, samples.MOE])
@pytest.mark.parametrize("bits_per_weight", [4.6, 6.5, 9.0])
def test_a_conversion_has_the_bytes_that_were_allocated(
    run: Run, tmp_path: Path, text: Path, config: dict[str, Any], bits_per_weight: float
) -> None:
    folder = samples.original(tmp_path / "model", {**config, "torch_dtype": "bfloat16"})
    flags = ("--bits", 2, 3, 6, "--group-size", 32, "--calibration", text, "--context", 64, "--tokens", 64)
    done = run(QUANT, "sensitivity", folder, *flags, "-o", tmp_path / "table.json")
    assert done.code == 0, done.err
    table = read_table(tmp_path / "table.json")
    formats = allocate(table, table.bytes_at(bits_per_weight))
    recipe = Recipe(dtype="bfloat16", format=Format(4, 32), layers=formats)
    plan = make_plan(open_source(folder), recipe)
    assert plan.weight_bytes == table.bytes_of(formats) <= table.bytes_at(bits_per_weight)
    assert plan.parameters == table.parameters
