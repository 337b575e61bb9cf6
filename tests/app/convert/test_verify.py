"""`verify` says what is wrong with a folder, line by line, and by its exit code whether anything is."""

import json
from pathlib import Path

import mlx.core as mx
import pytest

from app import cli
from app.convert import verify
from convert.folder.manifest import write_manifest
from quant.format import Format
from quant.recipe import Recipe
from tests import checkpoints
from tests.app.programs import Outcome
from tests.convert.folder.folders import save, write_mlx_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_mlx_folder(tmp_path / "m")
    write_manifest(tmp_path / "m", Recipe(format=Format(4, 32), method="round"), "source")
    return tmp_path / "m"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs the subcommand on these arguments, without the process of its own."""
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])

    def run_verify(*arguments: object) -> Outcome:
        parser = cli.Parser(prog="qwen2-convert verify")
        verify.add_arguments(parser)
        capfd.readouterr()
        args = parser.parse_args([str(argument) for argument in arguments])
        code = cli.run("qwen2-convert", lambda: verify.run(args))
        out, err = capfd.readouterr()
        return Outcome(code, str(out), str(err))

    return run_verify


def test_a_folder_that_is_right_exits_with_0(folder: Path, run) -> None:
    outcome = run(folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("nothing is wrong; checked: 5 files, ")
    assert outcome.out.count("\n") == 1


def test_everything_that_is_wrong_has_its_line(folder: Path, run) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "generation_config.json").write_text("{}")
    outcome = run(folder)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [
        ["wrong:", "generation_config.json"],
        ["wrong:", "tokenizer.json"],
    ]
    assert lines[-1].startswith("2 things are wrong; ")


def test_the_source_is_compared(folder: Path, tmp_path: Path, run) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source")
    outcome = run(folder, "--source", source)
    assert outcome.code == 0
    assert "farthest from the source" in outcome.out
    assert run(folder, "--source", tmp_path / "nothing").code == 1


def test_json_tells_the_same(folder: Path, tmp_path: Path, run) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source")
    good = json.loads(run(folder, "--source", source, "--json").out)
    assert good["ok"] is True
    assert good["findings"] == []
    assert {"name", "error", "plain", "rows", "row_count"} == good["deviations"][0].keys()
    (folder / "tokenizer.json").unlink()
    outcome = run(folder, "--json")
    bad = json.loads(outcome.out)
    assert (outcome.code, bad["ok"]) == (1, False)
    assert bad["findings"] == [{"subject": "tokenizer.json", "problem": "is missing"}]


def test_what_is_no_model_is_one_line(tmp_path: Path, run) -> None:
    run(tmp_path).assert_one_line(1, "is no model folder; config.json is missing")


def test_a_tensors_name_cannot_write_on_the_terminal(folder: Path, run) -> None:
    tensors = write_mlx_folder(folder)
    save(folder, {**tensors, "evil\x1b[2J\nnothing is wrong": mx.zeros(1)})
    outcome = run(folder)
    assert outcome.code == 1
    assert "\x1b" not in outcome.out
    assert not any(line.startswith("nothing is wrong") for line in outcome.out.splitlines())
